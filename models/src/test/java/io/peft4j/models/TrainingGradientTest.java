package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static io.peft4j.models.Golden.assertGradientClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The chunked loss against plain logits, differences and repetition. */
class TrainingGradientTest {

    private static final int BATCH = 3;
    private static final int TOKENS = 100; // more labels than a chunk of the loss has rows

    /** A small model whose vocabulary makes a chunk of the loss 128 rows long. */
    static CausalLm model(boolean tied, boolean queryKeyNorm) {
        JsonObject json = new JsonObject();
        json.addProperty("model_type", "openelm");
        json.addProperty("vocab_size", 20_000);
        json.addProperty("max_context_length", 128);
        json.addProperty("num_transformer_layers", 2);
        json.addProperty("model_dim", 32);
        json.addProperty("head_dim", 8);
        json.addProperty("num_gqa_groups", 2);
        json.addProperty("ffn_multipliers", 2);
        json.addProperty("ffn_dim_divisor", 16);
        json.addProperty("normalize_qk_projections", queryKeyNorm);
        json.addProperty("share_input_output_layers", tied);
        json.addProperty("initializer_range", 0.3);
        return CausalLm.create(ModelConfig.of(json, "test"), Device.cpu(), 7);
    }

    static NDArray ids(NDManager owner, int vocabulary) {
        long[] ids = new Random(3).longs(BATCH * TOKENS, 0, vocabulary).toArray();
        return owner.create(ids, new Shape(BATCH, TOKENS));
    }

    static NDArray labels(NDManager owner, NDArray ids) {
        long[] labels = ids.toLongArray();
        for (int i = 0; i < labels.length; i++) {
            if (i % 7 == 3) {
                labels[i] = -100;
            }
        }
        return owner.create(labels, ids.getShape());
    }

    /** Runs the block as DJL would, makes all logits, and sends the loss back through them. */
    static double plainBackward(CausalLm model, NDArray ids, NDArray labels, double scale) {
        try (NDManager scope = model.manager().newSubManager();
                GradMode recording = GradMode.enabled()) {
            NDArray input = ids.duplicate();
            input.attach(scope);
            NDArray logits =
                    model.block()
                            .forward(new ParameterStore(scope, false), new NDList(input), true)
                            .singletonOrThrow();
            long vocabulary = logits.getShape().get(2);
            NDArray rows = logits.get(":, :-1").reshape(-1, vocabulary);
            NDArray targets = labels.get(":, 1:").reshape(-1);
            NDArray counted = targets.neq(-100);
            NDArray safe = targets.maximum(0).expandDims(1);
            NDArray picked = rows.logSoftmax(-1).gather(safe, 1).squeeze(1);
            NDArray loss = picked.mul(counted.toType(picked.getDataType(), false)).sum().neg();
            Gradients.backward(loss.mul(scale));
            return loss.getFloat();
        }
    }

    static Map<String, float[]> takeGradients(Map<String, Parameter> parameters) {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        parameters.forEach(
                (name, parameter) -> {
                    if (parameter.requiresGradient()) {
                        try (NDArray gradient = parameter.getArray().getGradient()) {
                            gradients.put(name, gradient.toFloatArray());
                        }
                        Gradients.zero(parameter.getArray());
                    }
                });
        return gradients;
    }

    static double sum(double[] rows) {
        return rows[0] + rows[1] + rows[2];
    }

    @ParameterizedTest
    @CsvSource({"true,true", "false,true", "true,false", "false,false"})
    void allGradientsAreThoseOfPlainLogits(boolean tied, boolean queryKeyNorm) {
        try (CausalLm model = model(tied, queryKeyNorm);
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = ids(scope, 20_000);
            NDArray labels = labels(scope, ids);
            double loss = sum(model.backward(ids, labels, 50));
            Map<String, float[]> ours = takeGradients(model.parameters());
            double plain = plainBackward(model, ids, labels, 1.0 / 50);
            Map<String, float[]> theirs = takeGradients(model.parameters());
            assertThat(loss).isCloseTo(plain, within(1e-5 * plain));
            assertThat(sum(model.rowLosses(ids, labels))).isCloseTo(loss, within(1e-6 * loss));
            assertThat(ours).hasSize((tied ? 2 : 3) + 2 * (queryKeyNorm ? 8 : 6));
            ours.forEach((name, values) -> assertGradientClose(name, values, theirs.get(name)));
        }
    }

    @Test
    void anAdapterOnAHeadOfItsOwnIsTrainedAndUsed() {
        try (CausalLm model = model(false, true);
                NDManager scope = NDManager.newBaseManager();
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                LoraConfig.builder()
                                        .setRank(4)
                                        .setTargetModules("lm_head", "qkv_proj")
                                        .build(),
                                1)) {
            NDArray ids = ids(scope, 20_000);
            double base = sum(model.rowLosses(ids, ids));
            randomise(model, adapted);
            double loss = sum(model.backward(ids, ids, 1));
            Map<String, float[]> ours = takeGradients(adapted.adapter().parameters());
            double plain = plainBackward(model, ids, ids, 1);
            assertThat(loss).isCloseTo(plain, within(1e-5 * plain)).isNotCloseTo(base, within(1.0));
            takeGradients(adapted.adapter().parameters())
                    .forEach((name, values) -> assertGradients(name, ours.get(name), values));
        }
    }

    /** Gradients of a sum over hundreds of tokens are compared relative to their largest. */
    static void assertGradients(String name, float[] actual, float[] expected) {
        float largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(largest).as(name).isPositive();
        assertClose(name, actual, expected, 1e-5 * largest, 1e-4);
    }

    static void randomise(CausalLm model, AdaptedModel adapted) {
        Random random = new Random(5);
        try (RowWriter writer = new RowWriter(model.manager())) {
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                float[] values = new float[(int) parameter.getShape().size()];
                for (int i = 0; i < values.length; i++) {
                    values[i] = 0.1f * (float) random.nextGaussian();
                }
                writer.put(parameter.getArray(), 0, FloatBuffer.wrap(values));
            }
        }
    }

    @Test
    void gradientsAddUpOverCallsAndScaleWithTheDivisor() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors");
                Golden full = Golden.open("openelm/full/golden.safetensors")) {
            NDArray ids = golden.array("input_ids");
            model.backward(ids, ids, 28);
            model.backward(ids, ids, 28);
            takeGradients(model.parameters())
                    .forEach(
                            (name, values) ->
                                    assertGradientClose(name, values, full.floats("grad." + name)));
        }
    }

    @Test
    void gradientsAreTheSlopesOfTheLoss() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors");
                RowWriter writer = new RowWriter(model.manager())) {
            NDArray ids = golden.array("input_ids");
            model.backward(ids, ids, 1);
            Map<String, float[]> gradients = takeGradients(model.parameters());
            model.parameters()
                    .forEach(
                            (name, parameter) -> {
                                // along the gradient itself, so that the slope is its squared norm
                                float[] gradient = gradients.get(name);
                                float[] at = parameter.getArray().toFloatArray();
                                double norm = 0;
                                for (float g : gradient) {
                                    norm += (double) g * g;
                                }
                                double step = 2e-3 / Math.sqrt(norm);
                                double[] losses = new double[2];
                                for (int side = 0; side < 2; side++) {
                                    float[] moved = at.clone();
                                    for (int i = 0; i < moved.length; i++) {
                                        moved[i] += (float) ((side * 2 - 1) * step * gradient[i]);
                                    }
                                    writer.put(parameter.getArray(), 0, FloatBuffer.wrap(moved));
                                    double[] rows = model.rowLosses(ids, ids);
                                    losses[side] = rows[0] + rows[1];
                                }
                                writer.put(parameter.getArray(), 0, FloatBuffer.wrap(at));
                                double slope = (losses[1] - losses[0]) / (2 * step);
                                assertThat(slope).as(name).isCloseTo(norm, within(0.02 * norm));
                            });
        }
    }

    @Test
    void twoHundredStepsLeaveNoArrayBehind() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors");
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                LoraConfig.builder()
                                        .setRank(2)
                                        .setTargetModules("qkv_proj")
                                        .build(),
                                1)) {
            NDArray ids = golden.array("input_ids");
            int inputs = golden.manager().getManagedArrays().size();
            List<Integer> counts = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                model.backward(ids, ids, 14);
                model.rowLosses(ids, ids);
                try (NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
                    model.logits(scope, ids, null);
                }
                counts.add(model.manager().getManagedArrays().size());
            }
            assertThat(counts).containsOnly(counts.get(0));
            assertThat(golden.manager().getManagedArrays()).hasSize(inputs);
            assertThat(adapted.adapter().parameters()).isNotEmpty();
        }
    }

    @Test
    void rowsWithoutLabelsHaveNoLoss() {
        try (CausalLm model = Golden.load();
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = scope.create(new long[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3));
            long i = -100;
            NDArray one = scope.create(new long[] {1, i, i, i, i, 6}, new Shape(2, 3));
            double[] sums = model.rowLosses(ids, one); // a first token is predicted by nothing
            assertThat(sums[0]).isZero();
            assertThat(sums[1]).isPositive();
            NDArray none = scope.create(new long[] {1, i, i, 4, i, i}, new Shape(2, 3));
            assertThat(model.rowLosses(ids, none)).containsExactly(0, 0);
            assertThat(model.backward(ids, none, 1)).containsExactly(0, 0);
        }
    }

    @Test
    void trainingAFrozenModelIsRefused() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors")) {
            model.block().freezeParameters(true);
            NDArray ids = golden.array("input_ids");
            assertThatThrownBy(() -> model.backward(ids, ids, 1))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("all are frozen");
        }
    }
}
