package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AdamWTest {

    static Stream<JsonObject> cases() throws IOException {
        return GoldenJson.cases("optimizer/adamw.json").stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTorchOverFortyStepsOfEverySizeOfGradient(JsonObject golden) {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Map<String, Parameter> parameters =
                    GoldenJson.parameters(
                            manager,
                            golden.getAsJsonObject("shapes"),
                            golden.getAsJsonObject("start"));
            double[] betas = GoldenJson.doubles(golden.get("betas"));
            double[] rates = GoldenJson.doubles(golden.get("rates"));
            JsonArray gradients = golden.getAsJsonArray("gradients");
            GradientCoverage coverage = new GradientCoverage(parameters);
            try (AdamW optimizer =
                    AdamW.builder()
                            .setParameters(parameters)
                            .optBetas(betas[0], betas[1])
                            .optEpsilon(golden.get("eps").getAsDouble())
                            .optWeightDecay(golden.get("weight_decay").getAsDouble())
                            .build()) {
                for (int step = 0; step < rates.length; step++) {
                    coverage.zero();
                    AccumulatedGradients.of(parameters, gradients.get(step).getAsJsonObject());
                    optimizer.step(coverage.covered(), rates[step]);
                    if (step == rates.length / 2) {
                        GoldenArrays.expect(parameters, golden.getAsJsonObject("half_way"));
                    }
                }
                GoldenArrays.expect(parameters, golden.getAsJsonObject("end"));
                expectState(optimizer, golden.getAsJsonObject("state"));
            }
        }
    }

    @Test
    void aParameterLeftOutOfAStepDoesNotDecay() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Parameter still = GoldenJson.parameter(manager, new Shape(1), 3);
            Parameter moved = GoldenJson.parameter(manager, new Shape(1), 3);
            Map<String, Parameter> both = Map.of("still", still, "moved", moved);
            GradientCoverage coverage = new GradientCoverage(both);
            try (AdamW optimizer =
                    AdamW.builder().setParameters(both).optWeightDecay(0.5).build()) {
                coverage.zero();
                AccumulatedGradients.of(moved, 0f);
                optimizer.step(coverage.covered(), 0.1);
            }
            assertThat(still.getArray().toFloatArray()).containsExactly(3);
            assertThat(moved.getArray().toFloatArray()[0]).isCloseTo(2.85f, within(1e-6f));
        }
    }

    @Test
    void aStepLeavesNoArrayBehind() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Map<String, Parameter> one =
                    Map.of("p", GoldenJson.parameter(manager, new Shape(2), 1, 2));
            GradientCoverage coverage = new GradientCoverage(one);
            try (AdamW optimizer = AdamW.builder().setParameters(one).build()) {
                int before = manager.getManagedArrays().size();
                for (int i = 0; i < 20; i++) {
                    coverage.zero();
                    AccumulatedGradients.of(one.get("p"), 1, 2);
                    GradientClipping.clip(one.values(), 1);
                    optimizer.step(coverage.covered(), 0.1);
                }
                assertThat(manager.getManagedArrays()).hasSize(before);
            }
        }
    }

    @Test
    void refusesParametersThatAreNotFloat32AndNamesThem() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Parameter half = Parameter.builder().setName("w").setType(Parameter.Type.OTHER).build();
            half.setArray(manager.ones(new Shape(2), DataType.FLOAT16));
            AdamW.Builder builder = AdamW.builder().setParameters(Map.of("w", half));
            assertThatThrownBy(builder::build).hasMessageContaining("w is float16");
        }
    }

    @Test
    void refusesToMoveWhatItDoesNotKnow() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch");
                AdamW optimizer =
                        AdamW.builder()
                                .setParameters(
                                        Map.of("p", GoldenJson.parameter(manager, new Shape(1), 1)))
                                .build()) {
            assertThatThrownBy(() -> optimizer.step(List.of("q"), 0.1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("q");
        }
    }

    private static void expectState(AdamW optimizer, JsonObject golden) {
        Map<String, NDArray> state = optimizer.state();
        for (String name : golden.keySet()) {
            JsonObject expected = golden.getAsJsonObject(name);
            for (String moment : List.of("exp_avg", "exp_avg_sq")) {
                GoldenArrays.expect(
                        name + "." + moment,
                        state.get(name + "." + moment),
                        GoldenJson.floats(expected.get(moment)));
            }
            assertThat(state.get(name + ".step").getFloat())
                    .isEqualTo(expected.get("step").getAsFloat());
        }
    }
}
