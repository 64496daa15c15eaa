package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers' kernels with each of the libraries that multiply, and in each type. */
class LayerProductsTest {

    @ParameterizedTest
    @CsvSource({
        "LINEAR,biased,lora",
        "LINEAR,biased,dora",
        "ONEDNN,biased,lora",
        "ONEDNN,biased,dora",
        "LINEAR,mixtral,dora",
        "ONEDNN,mixtral,dora"
    })
    void everyProductGivesAutogradsGradients(MatrixProduct product, String family, String method) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0, "all-linear")) {
            assumeThat(product.isFor(ScalarType.FLOAT32, Device.cpu())).isTrue();
            model.useMatrixProduct(product);
            BothWays.assertSame(model, adapted, false);
        }
    }

    /**
     * Against float32 of the same weights, from which the blocks in the type are as far. Of experts
     * all are chosen: another choice would be no question of rounding.
     */
    @ParameterizedTest
    @CsvSource({
        "biased,BF16,LINEAR,lora",
        "biased,BF16,WIDENED,lora",
        "biased,BF16,WIDENED,dora",
        "biased,F16,WIDENED,dora",
        "mixtral,BF16,LINEAR,lora",
        "mixtral,BF16,WIDENED,dora",
        "mixtral,F16,WIDENED,dora"
    })
    void lowPrecisionIsNoFurtherFromFloat32ThanTheBlocksAre(
            String family, Dtype type, MatrixProduct product, String method, @TempDir Path dir)
            throws IOException {
        JsonObject json = TinyModels.json(family);
        if (json.has("num_local_experts")) {
            json.add("num_experts_per_tok", json.get("num_local_experts"));
        }
        try (CausalLm low = TinyModels.model(json, type)) {
            low.save(dir, type);
            try (CausalLm wide = CausalLm.load(dir, Device.cpu());
                    AdaptedModel exact = TinyAdapters.attach(wide, method, 0, "all-linear");
                    AdaptedModel rounded = TinyAdapters.attach(low, method, 0, "all-linear")) {
                low.useMatrixProduct(product);
                Map<String, float[]> expected = gradients(wide, exact, true);
                double kernels = distance(gradients(low, rounded, true), expected);
                double blocks = distance(gradients(low, rounded, false), expected);
                assertThat(kernels).isPositive().isLessThan(1.2 * blocks);
                assertThat(blocks).isLessThan(type == Dtype.BF16 ? 0.1 : 0.01);
            }
        }
    }

    @Test
    void aProductOfAnotherTypeIsRefused() {
        try (CausalLm model = TinyModels.model("llama")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> model.useMatrixProduct(MatrixProduct.WIDENED))
                    .withMessageContaining("FLOAT32")
                    .withMessageContaining("WIDENED");
        }
    }

    private static Map<String, float[]> gradients(
            CausalLm model, AdaptedModel adapted, boolean byKernels) {
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            BothWays.backward(model, ids, null, byKernels);
            return TinyAdapters.takeGradients(adapted);
        }
    }

    private static double distance(Map<String, float[]> actual, Map<String, float[]> expected) {
        double difference = 0;
        double norm = 0;
        for (Map.Entry<String, float[]> entry : expected.entrySet()) {
            float[] values = actual.get(entry.getKey());
            for (int i = 0; i < values.length; i++) {
                difference += Math.pow(values[i] - entry.getValue()[i], 2);
                norm += Math.pow(entry.getValue()[i], 2);
            }
        }
        return Math.sqrt(difference / norm);
    }
}
