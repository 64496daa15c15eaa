package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.util.PairList;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.MergeReport;
import io.peft4j.adapters.Site;
import io.peft4j.dora.DoraConfig;
import io.peft4j.ia3.Ia3Config;
import io.peft4j.lora.AdapterCombination;
import io.peft4j.lora.CombinationReport;
import io.peft4j.lora.CombinationRule;
import io.peft4j.lora.LoraConfig;
import io.peft4j.lora.LoraInit;
import io.peft4j.tuning.AdamWOptimizer;
import io.peft4j.tuning.ClipGradientNorm;
import io.peft4j.tuning.LoraPlus;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/adapters.md are the code below, which is compiled and run. */
class AdaptersPageTest {

    private static final Shape SHAPE = new Shape(1, 4);

    @TempDir private Path directory;
    private Model model;
    private ArrayDataset data;

    @BeforeEach
    void createModelAndData() throws IOException, TranslateException {
        model = Model.newInstance("classifier");
        model.setBlock(new Classifier());
        model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, SHAPE);
        data = data(model.getNDManager());
    }

    @AfterEach
    void freeModel() {
        model.close();
    }

    @Test
    void firstAdapter() throws IOException, TranslateException {
        // example begins
        AdapterConfig config =
                LoraConfig.builder().setRank(8).setTargetModules("all-linear").build();
        try (AdaptedModel adapted = Adapters.attach(model, config)) {
            try (Trainer trainer =
                    model.newTrainer(new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()))) {
                trainer.initialize(new Shape(1, 4));
                EasyTrain.fit(trainer, 3, data, null);
            }
            adapted.save(directory.resolve("adapter"));
        }
        // example ends
        assertThat(directory.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
    }

    @Test
    void whatCanBeAdapted() {
        // example begins
        for (Site site : Adapters.sites(model.getBlock())) {
            System.out.println(site.path() + " " + site.kind() + " " + site.shape());
        }
        AdapterConfig config = LoraConfig.builder().setRank(8).setTargetModules("hidden").build();
        System.out.println(Adapters.dryRun(model.getBlock(), config)); // changes nothing
        // example ends
        assertThat(Adapters.sites(model.getBlock()))
                .extracting(Site::path)
                .containsExactly("input", "hidden", "classifier");
        assertThat(Adapters.dryRun(model.getBlock(), config)).hasSize(1);
    }

    @Test
    void settings() {
        // example begins
        AdapterConfig config =
                DoraConfig.builder()
                        .setRank(16)
                        .optAlpha(32)
                        .setTargetModules("input", "hidden")
                        .optRankPattern(Map.of("input", 4))
                        .optRsLora(true)
                        .optDropout(0.05)
                        .optInit(LoraInit.GAUSSIAN)
                        .build();
        // example ends
        try (AdaptedModel adapted = Adapters.attach(model, config)) {
            assertThat(adapted.summary().sites().get(0).rank()).hasValue(4);
        }
    }

    @Test
    void training() throws IOException, TranslateException {
        try (AdaptedModel adapted =
                Adapters.attach(
                        model,
                        LoraConfig.builder().setRank(4).setTargetModules("hidden").build())) {
            // example begins
            var parameters = adapted.adapter().parameters();
            try (AdamWOptimizer optimizer =
                            AdamWOptimizer.builder()
                                    .optLearningRateTracker(Tracker.fixed(1e-3f))
                                    .optGroups(
                                            parameters, new LoraPlus(16).groups(parameters, 1e-3))
                                    .build();
                    Trainer trainer =
                            model.newTrainer(
                                    new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                                            .optOptimizer(optimizer)
                                            .addTrainingListeners(new ClipGradientNorm(1.0)))) {
                trainer.initialize(new Shape(1, 4));
                EasyTrain.fit(trainer, 3, data, null);
            }
            // example ends
            assertThat(parameters.values()).allMatch(p -> p.requiresGradient());
        }
    }

    @Test
    void savingAndLoading() throws IOException {
        Path saved = directory.resolve("adapter");
        try (AdaptedModel adapted =
                Adapters.attach(
                        model,
                        LoraConfig.builder().setRank(4).setTargetModules("hidden").build())) {
            adapted.save(saved);
        }
        // example begins
        try (AdaptedModel adapted = Adapters.load(model, saved)) { // saved here or by PEFT
            System.out.println(adapted.summary());
            adapted.adapter().save(directory.resolve("copy"));
        }
        // example ends
        assertThat(directory.resolve("copy/adapter_model.safetensors"))
                .hasSameBinaryContentAs(saved.resolve("adapter_model.safetensors"));
    }

    @Test
    void severalAdapters() throws IOException {
        Path saved = directory.resolve("adapter");
        AdapterConfig lora = LoraConfig.builder().setRank(4).setTargetModules("hidden").build();
        AdapterConfig dora = DoraConfig.builder().setRank(2).setTargetModules("all-linear").build();
        try (AdaptedModel adapted = Adapters.attach(model, lora)) {
            adapted.save(saved);
            // example begins
            adapted.add("tone", dora); // there, but not in effect
            adapted.load("facts", saved);
            adapted.activate("tone", "facts"); // both in effect, their updates add
            adapted.delete("default");
            // example ends
            assertThat(adapted.active()).containsExactly("tone", "facts");
        }
    }

    @Test
    void anAdapterPerRequest() throws TranslateException {
        AdapterConfig config = LoraConfig.builder().setRank(4).setTargetModules("hidden").build();
        try (AdaptedModel adapted = Adapters.attach(model, config);
                NDManager manager = NDManager.newBaseManager()) {
            adapted.add("customer-7", config);
            NDList input = new NDList(manager.ones(SHAPE));
            // example begins
            try (AdapterScope request = adapted.use("customer-7");
                    Predictor<NDList, NDList> predictor =
                            model.newPredictor(new NoopTranslator())) {
                NDList answer = predictor.predict(input); // this thread's, whatever others use
                System.out.println(answer.head());
            }
            try (AdapterScope base = adapted.disableAdapter()) {
                System.out.println(adapted.active()); // [], this is the base model
            }
            // example ends
            assertThat(adapted.active()).containsExactly("default");
        }
    }

    @Test
    void merging() {
        AdapterConfig config = DoraConfig.builder().setRank(4).setTargetModules("hidden").build();
        AdaptedModel adapted = Adapters.attach(model, config);
        // example begins
        MergeReport report = adapted.merge(); // W' is written over W
        System.out.println("largest change of a weight: " + report.largest());
        adapted.unmerge(); // every bit of W is back
        adapted.mergeAndUnload(); // for good: a plain model, and no copy of W is kept
        // example ends
        assertThat(model.getBlock()).isInstanceOf(Classifier.class);
    }

    @Test
    void aHeadOfItsOwn() {
        // example begins
        AdapterConfig config =
                LoraConfig.builder()
                        .setRank(8)
                        .setTargetModules("input", "hidden")
                        .optModulesToSave("classifier") // trained in full, saved with the adapter
                        .build();
        try (AdaptedModel adapted = Adapters.attach(model, config)) {
            System.out.println(adapted.adapter().parameters().keySet());
        }
        // example ends
    }

    @Test
    void combining() {
        AdapterConfig config = LoraConfig.builder().setRank(2).setTargetModules("hidden").build();
        try (AdaptedModel adapted = Adapters.attach(model, config)) {
            adapted.add("maths", config, 1);
            adapted.add("code", config, 2);
            // example begins
            AdapterCombination.builder() // exact: the rank is the sum of the ranks
                    .addAdapter("maths", 0.7)
                    .addAdapter("code", 0.3)
                    .build()
                    .addTo(adapted, "both");
            CombinationReport report =
                    AdapterCombination.builder()
                            .addAdapter("maths", 1)
                            .addAdapter("code", 1)
                            .optRule(CombinationRule.TIES)
                            .optDensity(0.5)
                            .optRank(2)
                            .build()
                            .addTo(adapted, "ties");
            System.out.println("cut off by the rank: " + report.largestError());
            // example ends
            assertThat(report.largestError()).isCloseTo(0, within(1.0));
            assertThat(adapted.names()).contains("both", "ties");
        }
    }

    @Test
    void factorsOfOutputsAndInputs() throws IOException, TranslateException {
        // example begins
        AdapterConfig config =
                Ia3Config.builder()
                        .setTargetModules("input", "hidden")
                        .optFeedforwardModules("hidden") // its inputs are scaled, not its outputs
                        .build();
        try (AdaptedModel adapted = Adapters.attach(model, config)) {
            System.out.println(adapted.summary()); // one factor for each output or input
            adapted.merge(); // into weights and biases, as in PEFT
        }
        // example ends
        try (AdaptedModel adapted = Adapters.attach(model, config)) {
            assertThat(adapted.summary().trainable()).isEqualTo(16 + 16);
        }
    }

    private static ArrayDataset data(NDManager manager) throws IOException, TranslateException {
        Random random = new Random(5);
        float[] values = new float[4 * 16];
        float[] labels = new float[16];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
            labels[i / 4] = values[i] > 0 ? 1 : 0;
        }
        ArrayDataset dataset =
                new ArrayDataset.Builder()
                        .setData(manager.create(values, new Shape(16, 4)))
                        .optLabels(manager.create(labels))
                        .setSampling(4, false)
                        .build();
        dataset.prepare();
        return dataset;
    }

    /** A perceptron whose layers have names. */
    private static final class Classifier extends AbstractBlock {

        private final Block input = addChildBlock("input", linear(16));
        private final Block hidden = addChildBlock("hidden", linear(16));
        private final Block classifier = addChildBlock("classifier", linear(2));

        private static Linear linear(long units) {
            return Linear.builder().setUnits(units).build();
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store,
                NDList inputs,
                boolean training,
                PairList<String, Object> params) {
            NDList first = Activation.relu(input.forward(store, inputs, training));
            NDList second = Activation.relu(hidden.forward(store, first, training));
            return classifier.forward(store, second, training);
        }

        @Override
        protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
            input.initialize(manager, type, shapes);
            hidden.initialize(manager, type, new Shape(1, 16));
            classifier.initialize(manager, type, new Shape(1, 16));
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return new Shape[] {new Shape(shapes[0].get(0), 2)};
        }
    }
}
