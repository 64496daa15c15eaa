package io.peft4j.examples;

import ai.djl.Model;
import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.inference.Predictor;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torchscript.TorchScriptBlockFactory;
import io.peft4j.tuning.AdamWOptimizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Fine-tunes a hosted text encoder, a traced BertModel, to classify texts: loads the TorchScript
 * archive from a URL, adds a head, trains LoRA and the head with DJL's Trainer, saves them in
 * PEFT's format, and classifies with a second copy of the model that gets what was saved.
 *
 * <pre>
 * HostedClassifier MODEL-URL TOKENIZER.JSON TRAIN.TSV TEST.TSV OUTPUT-DIRECTORY
 * </pre>
 *
 * A line of data is a label, 0 or 1, a tab and a text.
 */
public final class HostedClassifier {

    private static final int CLASSES = 2;
    private static final int EPOCHS = 16;

    private HostedClassifier() {}

    /** Texts as the encoder takes them: ids and mask (n, tokens), INT64, and labels (n). */
    record Texts(NDArray ids, NDArray mask, NDArray labels) {

        static Texts read(NDManager manager, HuggingFaceTokenizer tokenizer, Path file)
                throws IOException {
            List<String> texts = new ArrayList<>();
            List<Float> labels = new ArrayList<>();
            for (String line : Files.readAllLines(file)) {
                int tab = line.indexOf('\t');
                labels.add(Float.parseFloat(line.substring(0, tab)));
                texts.add(line.substring(tab + 1));
            }
            Encoding[] encodings = tokenizer.batchEncode(texts);
            int longest = 0;
            for (Encoding encoding : encodings) {
                longest = Math.max(longest, encoding.getIds().length);
            }
            long[] ids = new long[texts.size() * longest];
            long[] mask = new long[texts.size() * longest];
            float[] numbers = new float[texts.size()];
            for (int row = 0; row < encodings.length; row++) {
                long[] own = encodings[row].getIds();
                System.arraycopy(own, 0, ids, row * longest, own.length);
                System.arraycopy(
                        encodings[row].getAttentionMask(), 0, mask, row * longest, own.length);
                numbers[row] = labels.get(row);
            }
            Shape shape = new Shape(texts.size(), longest);
            return new Texts(
                    manager.create(ids, shape),
                    manager.create(mask, shape),
                    manager.create(numbers));
        }

        Shape[] batch(long rows) {
            Shape shape = new Shape(rows, ids.getShape().get(1));
            return new Shape[] {shape, shape};
        }
    }

    /**
     * Runs the example.
     *
     * @param args the model's URL, its tokenizer.json, the training and the test data, and a new
     *     directory for the adapter
     * @throws Exception if something cannot be loaded, read or written
     */
    public static void main(String[] args) throws Exception {
        if (args.length != 5) {
            System.err.println(
                    "usage: HostedClassifier MODEL-URL TOKENIZER.JSON TRAIN.TSV TEST.TSV"
                            + " OUTPUT-DIRECTORY");
            System.exit(2);
        }
        double accuracy =
                runExample(
                        args[0],
                        Path.of(args[1]),
                        Path.of(args[2]),
                        Path.of(args[3]),
                        Path.of(args[4]));
        System.out.printf("accuracy on %s: %.3f%n", args[3], accuracy);
    }

    /**
     * Trains, saves, loads again and classifies.
     *
     * @param url where the archive is, in a zip file
     * @param tokenizerFile the encoder's tokenizer.json
     * @param train the training data
     * @param test the test data
     * @param output a directory for the adapter
     * @return the share of the test data that is classified right
     * @throws Exception if something cannot be loaded, read or written
     */
    public static double runExample(
            String url, Path tokenizerFile, Path train, Path test, Path output) throws Exception {
        try (HuggingFaceTokenizer tokenizer = tokenizer(tokenizerFile);
                NDManager data = NDManager.newBaseManager()) {
            try (ZooModel<NDList, NDList> hosted = load(url);
                    AdaptedModel adapted =
                            fineTune(
                                    hosted.getWrappedModel(), Texts.read(data, tokenizer, train))) {
                adapted.save(output);
            }
            try (ZooModel<NDList, NDList> again = load(url);
                    AdaptedModel adapted = Adapters.load(again.getWrappedModel(), output)) {
                return accuracy(again.getWrappedModel(), Texts.read(data, tokenizer, test));
            }
        }
    }

    static HuggingFaceTokenizer tokenizer(Path file) throws IOException {
        return HuggingFaceTokenizer.builder()
                .optTokenizerPath(file)
                .optTruncation(false)
                .optPadding(false)
                .build();
    }

    /** The encoder with a new head, as the model that the URL leads to. */
    static ZooModel<NDList, NDList> load(String url) throws Exception {
        ZooModel<NDList, NDList> hosted =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optModelUrls(url)
                        .optEngine("PyTorch")
                        .optTranslator(new NoopTranslator())
                        .optArgument("blockFactory", TorchScriptBlockFactory.class.getName())
                        .optArgument("torchScriptRoot", "bert")
                        .optOption("hasParameter", "false")
                        .build()
                        .loadModel();
        Model model = hosted.getWrappedModel();
        EncoderWithHead classifier = EncoderWithHead.of(model.getBlock(), CLASSES);
        classifier.initialize(
                model.getNDManager(), DataType.FLOAT32, new Shape(1, 8), new Shape(1, 8));
        model.setBlock(classifier);
        return hosted;
    }

    /** Attaches an adapter and trains it; the caller saves and closes it. */
    static AdaptedModel fineTune(Model model, Texts texts) throws IOException, TranslateException {
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(4)
                        .optAlpha(8)
                        .setTargetModules("query", "value", "dense")
                        .optModulesToSave("classifier")
                        .build();
        ArrayDataset rows =
                new ArrayDataset.Builder()
                        .setData(texts.ids(), texts.mask())
                        .optLabels(texts.labels())
                        .setSampling(16, false)
                        .build();
        AdaptedModel adapted = Adapters.attach(model, config);
        try (AdamWOptimizer optimizer =
                        AdamWOptimizer.builder()
                                .optLearningRateTracker(Tracker.fixed(1e-2f))
                                .build();
                Trainer trainer =
                        model.newTrainer(
                                new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                                        .addEvaluator(new Accuracy())
                                        .addTrainingListeners(TrainingListener.Defaults.basic())
                                        .optOptimizer(optimizer))) {
            System.out.println(adapted.summary());
            trainer.setMetrics(new Metrics());
            trainer.initialize(texts.batch(16));
            EasyTrain.fit(trainer, EPOCHS, rows, null);
            return adapted;
        }
    }

    private static double accuracy(Model model, Texts texts) throws TranslateException {
        try (NDArray logits = logits(model, texts)) {
            NDArray classes = logits.argMax(1);
            NDArray right = classes.toType(DataType.FLOAT32, false).eq(texts.labels());
            return right.toType(DataType.FLOAT32, false).mean().getFloat();
        }
    }

    /** The model's answers (n, classes), with what is attached to it. */
    static NDArray logits(Model model, Texts texts) throws TranslateException {
        try (Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
            return predictor.predict(new NDList(texts.ids(), texts.mask())).singletonOrThrow();
        }
    }
}
