package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** LoRA+ against what PEFT's create_loraplus_optimizer and torch make of the same gradients. */
class LoraPlusTest {

    @TempDir Path output;

    static Stream<JsonObject> cases() throws IOException {
        return GoldenJson.cases("optimizer/loraplus.json").stream();
    }

    private static LoraPlus plus(JsonObject golden) {
        double ratio = golden.get("ratio").getAsDouble();
        return golden.get("embedding_learning_rate").isJsonNull()
                ? new LoraPlus(ratio)
                : new LoraPlus(ratio, golden.get("embedding_learning_rate").getAsDouble());
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyParameterIsInPeftsGroup(JsonObject golden) {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Map<String, Parameter> parameters =
                    GoldenJson.parameters(manager, golden.getAsJsonObject("shapes"), null);
            JsonObject groups = golden.getAsJsonObject("groups");
            plus(golden)
                    .groups(parameters, 1e-3)
                    .forEach(
                            (key, group) ->
                                    assertThat(group.name())
                                            .as(key)
                                            .isEqualTo(groups.get(key).getAsString()));
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void ourLoopsStepsAgreeWithPeft(JsonObject golden) {
        double rate = golden.get("learning_rate").getAsDouble();
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Map<String, Parameter> parameters =
                    GoldenJson.parameters(
                            manager,
                            golden.getAsJsonObject("shapes"),
                            golden.getAsJsonObject("start"));
            GradientCoverage coverage = new GradientCoverage(parameters);
            double[] factors = GoldenJson.doubles(golden.get("factors"));
            JsonArray gradients = golden.getAsJsonArray("gradients");
            try (AdamW optimizer =
                    AdamW.builder()
                            .setParameters(parameters)
                            .optGroups(plus(golden).groups(parameters, rate))
                            .optWeightDecay(golden.get("weight_decay").getAsDouble())
                            .build()) {
                for (int step = 0; step < factors.length; step++) {
                    coverage.zero();
                    AccumulatedGradients.of(parameters, gradients.get(step).getAsJsonObject());
                    optimizer.step(coverage.covered(), rate * factors[step]);
                }
            }
            GoldenArrays.expect(parameters, golden.getAsJsonObject("end"), 0.05f);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aDjlTrainersStepsAgreeWithPeft(JsonObject golden) {
        double rate = golden.get("learning_rate").getAsDouble();
        double[] factors = GoldenJson.doubles(golden.get("factors"));
        try (ReplayedTraining training =
                new ReplayedTraining(
                        golden.getAsJsonObject("shapes"), golden.getAsJsonObject("start"))) {
            Map<String, Parameter> parameters = training.parameters();
            try (AdamWOptimizer optimizer =
                            AdamWOptimizer.builder()
                                    .optLearningRateTracker(
                                            (id, step) -> (float) (rate * factors[step - 1]))
                                    .optWeightDecays(golden.get("weight_decay").getAsFloat())
                                    .optGroups(parameters, plus(golden).groups(parameters, rate))
                                    .build();
                    Trainer trainer = training.trainer(optimizer)) {
                for (int step = 0; step < factors.length; step++) {
                    training.batch(
                            trainer,
                            golden.getAsJsonArray("gradients").get(step).getAsJsonObject());
                    trainer.step();
                }
            }
            GoldenArrays.expect(parameters, golden.getAsJsonObject("end"), 0.05f);
        }
    }

    private void train(TrainingConfig.Builder config, AdaptedModel adapted, CausalLm model)
            throws IOException {
        SftTrainer.train(
                LanguageModel.of(model),
                new AdapterTrainable(adapted),
                OpenElm.paddedBatch(),
                List.of(),
                config.build(),
                output);
    }

    private static TrainingConfig.Builder config(double ratio) {
        return TrainingConfig.builder()
                .optMaxSteps(1)
                .optSaveSteps(1)
                .optLearningRate(1e-3)
                .optLoraPlus(new LoraPlus(ratio));
    }

    @Test
    void theFirstStepOfATrainingMovesEachFactorByItsOwnRate() throws IOException {
        try (CausalLm model = OpenElm.load();
                AdaptedModel adapted =
                        Adapters.load(model.block(), OpenElm.DIRECTORY.resolve("dora"))) {
            Map<String, float[]> before = new HashMap<>();
            adapted.adapter()
                    .parameters()
                    .forEach((key, p) -> before.put(key, p.getArray().toFloatArray()));
            train(config(8), adapted, model);
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, p) ->
                                    assertThat(
                                                    furthest(
                                                            before.get(key),
                                                            p.getArray().toFloatArray()))
                                            .as(key)
                                            .isCloseTo(
                                                    key.contains("lora_A") ? 1e-3 : 8e-3,
                                                    within(5e-6)));
        }
    }

    private static double furthest(float[] from, float[] to) {
        double furthest = 0;
        for (int i = 0; i < from.length; i++) {
            furthest = Math.max(furthest, Math.abs((double) to[i] - from[i]));
        }
        return furthest;
    }

    @Test
    void resumingWithAnotherRatioNamesBoth() throws IOException {
        try (CausalLm model = OpenElm.load();
                AdaptedModel adapted =
                        Adapters.load(model.block(), OpenElm.DIRECTORY.resolve("lora"))) {
            train(config(8), adapted, model);
            assertThatThrownBy(() -> train(config(4).optResume(true), adapted, model))
                    .isInstanceOf(ResumeMismatchException.class)
                    .hasMessageContaining("loraplus_lr_ratio was 8.0, now it is 4.0");
        }
    }

    @Test
    void theSettingsOfARunTellOfLoraPlusOnlyWhereItIs() {
        assertThat(config(8).build().fingerprint(1))
                .containsEntry("loraplus_lr_ratio", "8.0")
                .containsEntry("loraplus_lr_embedding", "1.0E-6");
        assertThat(TrainingConfig.builder().build().fingerprint(1).keySet())
                .noneMatch(key -> key.contains("loraplus"));
    }

    @Test
    void parametersWithoutAFactorAreRefused() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Map<String, Parameter> full =
                    Map.of("head.weight", GoldenJson.parameter(manager, new Shape(1), 1));
            assertThatThrownBy(() -> new LoraPlus(2).groups(full, 1e-3))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("none of the 1 parameters is one");
            Map<String, Parameter> adapter =
                    Map.of("x.lora_A.weight", GoldenJson.parameter(manager, new Shape(1, 1), 1));
            assertThatThrownBy(() -> new LoraPlus(2).groups(adapter, 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("learning rate above 0");
        }
    }

    @Test
    void aRatioOutOfRangeIsNamed() {
        assertThatThrownBy(() -> new LoraPlus(0))
                .hasMessage("expected a LoRA+ ratio above 0, found 0.0");
        assertThatThrownBy(() -> new LoraPlus(2, -1)).hasMessageContaining("found -1.0");
    }
}
