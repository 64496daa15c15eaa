package io.peft4j.examples;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Classifies texts with a language model: it learns to write the label behind the text, and gives
 * each text the label that it finds the most probable. There is no head beside the model, so the
 * adapter is a plain LoRA that every server reads.
 *
 * <pre>
 * TextClassifier MODEL-DIRECTORY TRAIN.TSV TEST.TSV OUTPUT-DIRECTORY
 * </pre>
 *
 * A line of data is a label, a tab and a text. Labels may be any words.
 */
public final class TextClassifier {

    private static final int EPOCHS = 20;
    private static final int BATCH = 8;

    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final List<String> labels;

    private TextClassifier(CausalLm model, Tokenizer tokenizer, List<String> labels) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.labels = labels;
    }

    /** A text and what it is. */
    private record Text(String label, String text) {

        static List<Text> read(Path file) throws IOException {
            List<Text> texts = new ArrayList<>();
            for (String line : Files.readAllLines(file)) {
                int tab = line.indexOf('\t');
                if (tab < 1) {
                    throw new IOException(
                            file + ": expected a label, a tab and a text, found: " + line);
                }
                texts.add(new Text(line.substring(0, tab), line.substring(tab + 1)));
            }
            return texts;
        }
    }

    /**
     * Runs the example.
     *
     * @param args the model's directory, the training and the test data, and a new directory for
     *     the adapter
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] args) throws IOException {
        if (args.length != 4) {
            System.err.println(
                    "usage: TextClassifier MODEL-DIRECTORY TRAIN.TSV TEST.TSV OUTPUT-DIRECTORY");
            System.exit(2);
        }
        double accuracy =
                runExample(Path.of(args[0]), Path.of(args[1]), Path.of(args[2]), Path.of(args[3]));
        System.out.printf("accuracy on %s: %.3f%n", args[2], accuracy);
    }

    /**
     * Trains, saves, loads the adapter again, and classifies with it.
     *
     * @param directory the model
     * @param train the training data
     * @param test the test data
     * @param output a new directory for the adapter
     * @return the share of the test data that is classified right
     * @throws IOException if a file cannot be read or written
     */
    public static double runExample(Path directory, Path train, Path test, Path output)
            throws IOException {
        List<Text> texts = Text.read(train);
        List<String> labels = texts.stream().map(Text::label).distinct().sorted().toList();
        try (CausalLm model = CausalLm.load(directory, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(directory)) {
            TextClassifier classifier = new TextClassifier(model, tokenizer, labels);
            classifier.train(texts, output);
            List<Text> unseen = Text.read(test);
            try (AdaptedModel adapted = Adapters.load(model.block(), output)) {
                System.out.println(adapted.summary());
                List<String> found = classifier.classify(unseen.stream().map(Text::text).toList());
                int right = 0;
                for (int i = 0; i < found.size(); i++) {
                    right += found.get(i).equals(unseen.get(i).label()) ? 1 : 0;
                }
                return (double) right / found.size();
            }
        }
    }

    private void train(List<Text> texts, Path output) throws IOException {
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(8)
                        .setTargetModules("all-linear")
                        .optTaskType("CAUSAL_LM")
                        .build();
        try (AdaptedModel adapted = Adapters.attach(model.block(), config)) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    texts.stream().map(text -> row(text.text(), text.label())).toList(),
                    List.of(),
                    TrainingConfig.builder()
                            .optBatchSize(BATCH)
                            .optEpochs(EPOCHS)
                            .optLearningRate(3e-3)
                            .build(),
                    output);
        }
    }

    /** The tokens of a text and a label, of which the label's alone have a loss. */
    private Example row(String text, String label) {
        long[] prompt = tokenizer.encode(text + "\nLabel:", true);
        long[] answer = tokenizer.encode(" " + label, false);
        long[] ids = LongStream.concat(LongStream.of(prompt), LongStream.of(answer)).toArray();
        long[] targets = ids.clone();
        for (int i = 0; i < prompt.length; i++) {
            targets[i] = Example.IGNORED;
        }
        return new Example(ids, targets);
    }

    /** Gives each text the label whose tokens are the most probable behind it. */
    private List<String> classify(List<String> texts) {
        List<Example> rows = new ArrayList<>();
        for (String text : texts) {
            labels.forEach(label -> rows.add(row(text, label)));
        }
        EvaluationResult losses = Evaluation.evaluate(LanguageModel.of(model), rows, BATCH);
        List<String> found = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            int best = 0;
            for (int j = 1; j < labels.size(); j++) {
                int at = i * labels.size();
                if (losses.rows().get(at + j).sum() < losses.rows().get(at + best).sum()) {
                    best = j;
                }
            }
            found.add(labels.get(best));
        }
        return found;
    }
}
