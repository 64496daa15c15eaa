package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Trainings through DJL's Trainer. */
class AdamWOptimizerTest {

    static Stream<JsonObject> cases() throws IOException {
        return GoldenJson.cases("optimizer/adamw.json").stream();
    }

    private static ReplayedTraining two(float still, float moved) {
        return new ReplayedTraining(
                manager ->
                        Map.of(
                                "still", GoldenJson.parameter(manager, new Shape(1), still),
                                "moved", GoldenJson.parameter(manager, new Shape(1), moved)));
    }

    private static float value(ReplayedTraining training, String name) {
        return training.parameters().get(name).getArray().toFloatArray()[0];
    }

    private static AdamWOptimizer.Builder decaying() {
        return AdamWOptimizer.builder()
                .optLearningRateTracker(Tracker.fixed(0.1f))
                .optWeightDecays(0.5f);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTorchOverFortyStepsOfEverySizeOfGradient(JsonObject golden) {
        double[] betas = GoldenJson.doubles(golden.get("betas"));
        double[] rates = GoldenJson.doubles(golden.get("rates"));
        JsonArray gradients = golden.getAsJsonArray("gradients");
        try (ReplayedTraining training =
                        new ReplayedTraining(
                                golden.getAsJsonObject("shapes"), golden.getAsJsonObject("start"));
                AdamWOptimizer optimizer =
                        AdamWOptimizer.builder()
                                .optLearningRateTracker((id, step) -> (float) rates[step - 1])
                                .optBeta1(betas[0])
                                .optBeta2(betas[1])
                                .optEpsilon(golden.get("eps").getAsDouble())
                                .optWeightDecays(golden.get("weight_decay").getAsFloat())
                                .build();
                Trainer trainer = training.trainer(optimizer)) {
            for (int step = 0; step < rates.length; step++) {
                training.batch(trainer, gradients.get(step).getAsJsonObject());
                trainer.step();
                if (step == rates.length / 2) {
                    GoldenArrays.expect(training.parameters(), golden.getAsJsonObject("half_way"));
                }
            }
            GoldenArrays.expect(training.parameters(), golden.getAsJsonObject("end"));
        }
    }

    @Test
    void whatBackwardDoesNotReachDoesNotDecayEvenAfterClipping() {
        try (ReplayedTraining training = two(3, 3);
                AdamWOptimizer optimizer = decaying().build();
                Trainer trainer = training.trainer(optimizer, new ClipGradientNorm(1))) {
            training.batch(trainer, Map.of("still", new float[] {1}, "moved", new float[] {1}));
            trainer.step();
            float before = value(training, "still");
            assertThat(before).isCloseTo(2.75f, within(1e-6f));
            training.batch(trainer, Map.of("moved", new float[] {5}));
            trainer.step();
            assertThat(value(training, "still")).isEqualTo(before);
            training.batch(trainer, Map.of("still", new float[] {0}));
            trainer.step();
            assertThat(value(training, "still")).isLessThan(before);
        }
    }

    @Test
    void aFrozenParameterStays() {
        try (ReplayedTraining training = two(3, 3);
                AdamWOptimizer optimizer = decaying().build();
                Trainer trainer = training.trainer(optimizer)) {
            Map<String, float[]> both = Map.of("still", new float[] {1}, "moved", new float[] {1});
            training.batch(trainer, both);
            trainer.step();
            training.parameters().get("still").freeze(true);
            training.batch(trainer, both);
            trainer.step();
            assertThat(value(training, "still")).isCloseTo(2.75f, within(1e-6f));
            assertThat(value(training, "moved")).isCloseTo(2.5125f, within(1e-5f));
        }
    }

    @Test
    void gradientsOfSeveralBatchesAddUpAndStartAgainAfterAStep() {
        try (ReplayedTraining training = two(3, 3);
                AdamWOptimizer optimizer = decaying().build();
                Trainer trainer = training.trainer(optimizer)) {
            training.batch(trainer, Map.of("moved", new float[] {1}));
            training.batch(trainer, Map.of("moved", new float[] {2}));
            try (NDArray gradient = training.parameters().get("moved").getArray().getGradient()) {
                assertThat(gradient.toFloatArray()).containsExactly(3);
                trainer.step();
                assertThat(gradient.toFloatArray()).containsExactly(0);
            }
        }
    }

    @Test
    void elementsAreClippedOnBothSidesAfterRescaling() {
        AdamWOptimizer.Builder clipping =
                AdamWOptimizer.builder().setRescaleGrad(2).optClipGrad(0.5f);
        float[] clipped = trained(clipping, new float[] {3, -3, 0.1f}, new float[] {0, 0.1f, 1});
        float[] same =
                trained(
                        AdamWOptimizer.builder(),
                        new float[] {0.5f, -0.5f, 0.2f},
                        new float[] {0, 0.2f, 0.5f});
        assertThat(clipped).containsExactly(same);
    }

    private static float[] trained(AdamWOptimizer.Builder builder, float[]... gradients) {
        try (ReplayedTraining training =
                        new ReplayedTraining(
                                m -> Map.of("p", GoldenJson.parameter(m, new Shape(3), 1, 1, 1)));
                AdamWOptimizer optimizer = builder.build();
                Trainer trainer = training.trainer(optimizer)) {
            for (float[] gradient : gradients) {
                training.batch(trainer, Map.of("p", gradient));
                trainer.step();
            }
            return training.parameters().get("p").getArray().toFloatArray();
        }
    }

    @Test
    void closingFreesTheStateAndTheParametersStay() {
        try (ReplayedTraining training = two(3, 3)) {
            AdamWOptimizer optimizer = decaying().build();
            try (Trainer trainer = training.trainer(optimizer)) {
                Runnable step =
                        () -> {
                            training.batch(trainer, Map.of("moved", new float[] {1}));
                            trainer.step();
                        };
                step.run(); // DJL's check of the first gradients leaves arrays behind
                optimizer.close();
                int without = training.manager().getManagedArrays().size();
                step.run();
                assertThat(training.manager().getManagedArrays()).hasSize(without + 3);
                optimizer.close();
                assertThat(training.manager().getManagedArrays()).hasSize(without);
            }
            assertThat(value(training, "moved")).isCloseTo(2.5125f, within(1e-5f));
        }
    }

    @Test
    void anotherModelMayFollowOneThatWasClosedFirst() {
        AdamWOptimizer optimizer = decaying().build();
        for (int i = 0; i < 2; i++) {
            try (ReplayedTraining training = two(3, 3);
                    Trainer trainer = training.trainer(optimizer)) {
                training.batch(trainer, Map.of("moved", new float[] {1}));
                trainer.step();
                assertThat(value(training, "moved")).isCloseTo(2.75f, within(1e-6f));
            }
        }
        optimizer.close();
    }

    @Test
    void aSecondTrainerOfAModelGoesOnWithTheState() {
        float[] once = new float[2];
        for (int trainers = 1; trainers <= 2; trainers++) {
            try (ReplayedTraining training = two(3, 3);
                    AdamWOptimizer optimizer = decaying().build()) {
                for (int i = 0; i < trainers; i++) {
                    try (Trainer trainer = training.trainer(optimizer)) {
                        for (int step = 0; step < 4 / trainers; step++) {
                            training.batch(
                                    trainer, Map.of("moved", new float[] {1 + step + i * 2f}));
                            trainer.step();
                        }
                    }
                }
                once[trainers - 1] = value(training, "moved");
            }
        }
        assertThat(once[1]).isEqualTo(once[0]);
    }

    @Test
    void aParameterThatIsNotFloat32IsNamed() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch");
                AdamWOptimizer optimizer = AdamWOptimizer.builder().build()) {
            NDArray half = manager.ones(new Shape(2), DataType.FLOAT16);
            half.setName("gate");
            assertThatThrownBy(() -> optimizer.update("1", half, half))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("gate (2) is float16");
        }
    }

    @Test
    void wrongSettingsAreRefused() {
        assertThatThrownBy(() -> AdamWOptimizer.builder().optBeta2(1).build())
                .hasMessage("betas must be in [0, 1), but were 0.9 and 1.0");
        assertThatThrownBy(
                        () ->
                                AdamWOptimizer.builder()
                                        .optGroups(Map.of(), Map.of("q", ParameterGroup.DEFAULT)))
                .hasMessageContaining("q");
    }

    @Test
    void fiftyStepsOfEasyTrainLearnAndLeaveTheNumberOfArraysAsItWas() throws Exception {
        try (Model model = Model.newInstance("xor", "PyTorch");
                AdamWOptimizer optimizer =
                        AdamWOptimizer.builder()
                                .optLearningRateTracker(Tracker.fixed(0.1f))
                                .build()) {
            NDManager manager = model.getNDManager();
            manager.getEngine().setRandomSeed(7);
            model.setBlock(
                    new SequentialBlock()
                            .add(Linear.builder().setUnits(8).build())
                            .add(Activation::tanh)
                            .add(Linear.builder().setUnits(2).build()));
            ClipGradientNorm clipping = new ClipGradientNorm(0.5);
            List<Integer> arrays = new ArrayList<>();
            List<Double> norms = new ArrayList<>();
            TrainingListenerAdapter counter =
                    new TrainingListenerAdapter() {
                        @Override
                        public void onTrainingBatch(Trainer trainer, BatchData data) {
                            norms.add(clipping.norm().orElseThrow());
                        }

                        @Override
                        public void onEpoch(Trainer trainer) {
                            arrays.add(manager.getManagedArrays().size());
                        }
                    };
            ArrayDataset xor =
                    new ArrayDataset.Builder()
                            .setData(
                                    manager.create(
                                            new float[] {0, 0, 0, 1, 1, 0, 1, 1}, new Shape(4, 2)))
                            .optLabels(manager.create(new float[] {0, 1, 1, 0}))
                            .setSampling(4, false)
                            .build();
            try (Trainer trainer =
                    model.newTrainer(
                            new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                                    .optOptimizer(optimizer)
                                    .addTrainingListeners(clipping, counter))) {
                trainer.initialize(new Shape(4, 2));
                EasyTrain.fit(trainer, 50, xor, null);
            }
            assertThat(norms).hasSize(50).allMatch(norm -> norm > 0);
            assertThat(norms.get(49)).isLessThan(0.05);
            assertThat(arrays.get(49)).isEqualTo(arrays.get(5));
        }
    }
}
