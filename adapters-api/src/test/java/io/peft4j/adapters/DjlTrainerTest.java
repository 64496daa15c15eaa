package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingResult;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** DJL's Trainer does with an adapted model what it does with any other. */
class DjlTrainerTest {

    private final Model model = Classifier.model(1);
    private final Block base = model.getBlock();
    private final NDManager data = NDManager.newBaseManager();

    @AfterEach
    void close() {
        model.close();
        data.close();
    }

    private AdaptedModel attach() {
        return Adapters.attach(model, MatrixUpdateConfig.of(2, Classifier.LAYERS));
    }

    private static DefaultTrainingConfig config(float rate) {
        Optimizer optimizer = Optimizer.sgd().setLearningRateTracker(Tracker.fixed(rate)).build();
        return new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()).optOptimizer(optimizer);
    }

    @Test
    void easyTrainFitsTheAdapterWithListenersEvaluatorsAndMetrics() throws Exception {
        Map<String, float[]> before = Classifier.values(base);
        ArrayDataset rows = Classifier.data(data, 64, 16);
        DefaultTrainingConfig config =
                config(0.3f)
                        .addEvaluator(new Accuracy())
                        .addTrainingListeners(TrainingListener.Defaults.basic());
        try (AdaptedModel adapted = attach()) {
            Map<String, float[]> start = Classifier.values(adapted.adapter().parameters());
            TrainingResult result;
            try (Trainer trainer = model.newTrainer(config)) {
                trainer.setMetrics(new Metrics());
                trainer.initialize(new Shape(16, Classifier.IN));
                EasyTrain.fit(trainer, 40, rows, rows);
                result = trainer.getTrainingResult();
                assertThat(trainer.getMetrics().getMetricNames()).contains("forward", "step");
            }
            assertThat(result.getEpoch()).isEqualTo(40);
            assertThat(result.getTrainEvaluation("Accuracy")).isGreaterThan(0.85f);
            assertThat(result.getValidateEvaluation("Accuracy")).isGreaterThan(0.6f);
            Classifier.values(adapted.adapter().parameters())
                    .forEach((key, v) -> assertThat(v).as(key).isNotEqualTo(start.get(key)));
            assertUnchanged(before);
        }
        assertUnchanged(before);
    }

    /** Running statistics of BatchNorm included. */
    private void assertUnchanged(Map<String, float[]> before) {
        Classifier.values(base)
                .forEach((name, v) -> assertThat(v).as(name).isEqualTo(before.get(name)));
    }

    @Test
    void closingTheTrainerFreesNeitherBaseNorAdapter() throws Exception {
        try (AdaptedModel adapted = attach()) {
            fit(model, 1);
            fit(model, 1);
            assertThat(base.getParameters().values())
                    .allMatch(parameter -> !parameter.getArray().isReleased());
            assertThat(adapted.adapter().parameters().values())
                    .allMatch(parameter -> !parameter.getArray().isReleased());
        }
    }

    private void fit(Model fitted, int epochs) throws Exception {
        try (Trainer trainer = fitted.newTrainer(config(0.1f))) {
            trainer.initialize(new Shape(8, Classifier.IN));
            EasyTrain.fit(trainer, epochs, Classifier.data(data, 16, 8), null);
        }
    }

    @Test
    void aTrainerOfALoadedModelDoesNotUnfreezeTheBase(@TempDir Path directory) throws Exception {
        try (AdaptedModel adapted = attach()) {
            model.save(directory, "classifier");
            model.load(directory, "classifier"); // from now on, DJL unfreezes for training
            Map<String, float[]> before = Classifier.values(base);
            fit(model, 2);
            assertThat(base.getParameters().values()).noneMatch(Parameter::requiresGradient);
            assertUnchanged(before);
            assertThat(adapted.adapter().parameters().values())
                    .allMatch(Parameter::requiresGradient);
        }
    }

    @Test
    void freezingAndUnfreezingTheAdaptedBlockReachesTheActiveAdapterAlone() {
        try (AdaptedModel adapted = attach()) {
            Adapter other = adapted.add("other", MatrixUpdateConfig.of(1, "01Linear"));
            Block block = adapted.block();
            block.freezeParameters(true);
            assertThat(block.getParameters().values()).noneMatch(Parameter::requiresGradient);
            block.freezeParameters(false);
            assertThat(base.getParameters().values()).noneMatch(Parameter::requiresGradient);
            assertThat(other.parameters().values()).noneMatch(Parameter::requiresGradient);
            assertThat(adapted.adapter().parameters().values())
                    .allMatch(Parameter::requiresGradient);
            block.freezeParameters(true, parameter -> parameter.getName().equals("lora_A"));
            assertThat(
                            adapted.adapter().parameters().values().stream()
                                    .filter(Parameter::requiresGradient)
                                    .map(Parameter::getName))
                    .containsOnly("lora_B");
        }
    }

    @Test
    void accumulatedGradientsAreSummed() throws Exception {
        List<Map<String, float[]>> results = new ArrayList<>();
        for (int batch : new int[] {8, 16}) { // two batches of eight before a step, one of sixteen
            Model fresh = Classifier.model(1);
            try (AdaptedModel adapted =
                            Adapters.attach(fresh, MatrixUpdateConfig.of(2, "04Linear"));
                    Trainer trainer = fresh.newTrainer(config(batch == 8 ? 0.1f : 0.2f))) {
                trainer.initialize(new Shape(batch, Classifier.IN));
                for (Batch rows : trainer.iterateDataset(Classifier.data(data, 16, batch))) {
                    train(trainer, rows);
                }
                trainer.step();
                results.add(Classifier.values(adapted.adapter().parameters()));
            } finally {
                fresh.close();
            }
        }
        results.get(0)
                .forEach(
                        (key, v) -> {
                            float[] expected = results.get(1).get(key);
                            for (int i = 0; i < v.length; i++) {
                                assertThat(v[i]).as(key).isCloseTo(expected[i], within(1e-6f));
                            }
                        });
    }

    /** Without the batch's own statistics, which differ between batches. */
    private static void train(Trainer trainer, Batch rows) {
        try (rows;
                var collector = trainer.newGradientCollector()) {
            NDList predictions = trainer.evaluate(rows.getData());
            collector.backward(trainer.getLoss().evaluate(rows.getLabels(), predictions));
        }
    }

    @Test
    void fiftyStepsLeaveNoArraysBehind() throws Exception {
        try (AdaptedModel adapted = attach();
                Trainer trainer = model.newTrainer(config(0.1f))) {
            trainer.initialize(new Shape(8, Classifier.IN));
            ArrayDataset rows = Classifier.data(data, 8, 8);
            EasyTrain.fit(trainer, 2, rows, null);
            int[] before = counts(trainer);
            EasyTrain.fit(trainer, 50, rows, null);
            assertThat(counts(trainer)).isEqualTo(before);
            assertThat(adapted.isMerged()).isFalse();
        }
    }

    private int[] counts(Trainer trainer) {
        return new int[] {
            model.getNDManager().getManagedArrays().size(),
            trainer.getManager().getManagedArrays().size()
        };
    }

    @Test
    void anAdapterThatIsActivatedDuringTrainingIsTrainedFromThenOn() throws Exception {
        try (AdaptedModel adapted = attach();
                Trainer trainer = model.newTrainer(config(0.1f))) {
            trainer.initialize(new Shape(8, Classifier.IN));
            ArrayDataset rows = Classifier.data(data, 8, 8);
            EasyTrain.fit(trainer, 1, rows, null);
            Adapter second = adapted.add("second", MatrixUpdateConfig.of(3, "04Linear"));
            adapted.activate("second");
            Map<String, float[]> first =
                    Classifier.values(adapted.adapter(AdaptedModel.DEFAULT).parameters());
            Map<String, float[]> start = Classifier.values(second.parameters());
            EasyTrain.fit(trainer, 2, rows, null);
            Classifier.values(adapted.adapter(AdaptedModel.DEFAULT).parameters())
                    .forEach((key, v) -> assertThat(v).as(key).isEqualTo(first.get(key)));
            Classifier.values(second.parameters())
                    .forEach((key, v) -> assertThat(v).as(key).isNotEqualTo(start.get(key)));
        }
    }

    @Test
    void theAdapterIsSavedAloneAndTheModelIsTheBaseAgainAfterwards(@TempDir Path directory)
            throws Exception {
        NDArray x = data.randomNormal(new Shape(3, Classifier.IN));
        try (AdaptedModel adapted = attach()) {
            fit(model, 2);
            adapted.save(directory);
            assertThat(directory.toFile().list())
                    .contains("adapter_config.json", "adapter_model.safetensors");
        }
        assertThat(model.getBlock()).isSameAs(base);
        try (AdaptedModel again = attach()) {
            ParameterStore store = new ParameterStore(data, false);
            float[] fresh =
                    again.block().forward(store, new NDList(x), false).get(0).toFloatArray();
            again.adapter().load(directory);
            assertThat(again.block().forward(store, new NDList(x), false).get(0).toFloatArray())
                    .isNotEqualTo(fresh);
        }
    }
}
