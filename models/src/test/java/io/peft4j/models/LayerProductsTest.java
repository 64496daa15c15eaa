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
     * Against float32 of the same weights; 0.8 % is what the type itself rounds by at most. Of
     * experts all are chosen: another choice would be no question of rounding.
     */
    @ParameterizedTest
    @CsvSource({
        "biased,BF16,LINEAR,lora,0.03",
        "biased,BF16,WIDENED,lora,0.03",
        "biased,BF16,WIDENED,dora,0.03",
        "biased,F16,WIDENED,dora,0.005",
        "mixtral,BF16,LINEAR,lora,0.03",
        "mixtral,BF16,WIDENED,dora,0.03",
        "mixtral,F16,WIDENED,dora,0.005"
    })
    void lowPrecisionHasTheGradientsOfFloat32(
            String family,
            Dtype type,
            MatrixProduct product,
            String method,
            double tolerance,
            @TempDir Path dir)
            throws IOException {
        JsonObject json = TinyModels.json(family);
        if (json.has("num_local_experts")) {
            json.add("num_experts_per_tok", json.get("num_local_experts"));
        }
        try (CausalLm low = TinyModels.model(json, type)) {
            low.save(dir, type);
            try (CausalLm wide = CausalLm.load(dir, Device.cpu());
                    AdaptedModel expected = TinyAdapters.attach(wide, method, 0, "all-linear");
                    AdaptedModel actual = TinyAdapters.attach(low, method, 0, "all-linear")) {
                low.useMatrixProduct(product);
                Map<String, float[]> of32 = gradients(wide, expected);
                Map<String, float[]> of16 = gradients(low, actual);
                assertThat(relativeDifference(of16, of32)).isLessThan(tolerance).isPositive();
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

    private static Map<String, float[]> gradients(CausalLm model, AdaptedModel adapted) {
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            BothWays.backward(model, ids, null, true);
            return TinyAdapters.takeGradients(adapted);
        }
    }

    private static double relativeDifference(
            Map<String, float[]> actual, Map<String, float[]> expected) {
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
