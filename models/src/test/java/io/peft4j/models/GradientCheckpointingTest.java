package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.TorchRuntime;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers that are computed again in backward, against layers that keep what it needs. */
class GradientCheckpointingTest {

    private static Map<String, float[]> gradients(
            CausalLm model, AdaptedModel adapted, @Nullable NDArray mask, NDManager scope) {
        NDArray ids = TinyModels.ids(scope);
        TorchRuntime.seed(5);
        model.backward(ids, mask, TinyModels.labels(scope, ids, mask), 10);
        assertThat(model.wasByLayerKernels()).isTrue();
        return TrainingGradientTest.takeGradients(adapted.adapter().parameters());
    }

    @ParameterizedTest
    @CsvSource({
        "llama,lora,0,false",
        "llama,dora,0.3,true",
        "biased,lora,0.3,true",
        "biased,dora,0,false",
        "qwen2,lora,0.3,false",
        "qwen2,dora,0,true",
        "mistral,lora,0,true",
        "mistral,dora,0.3,false",
        "phi3,lora,0.3,true",
        "phi3,dora,0,false",
        "openelm,lora,0,true",
        "openelm,dora,0.3,false",
        "openelm,lora,0.3,false",
        "openelm,dora,0,true",
        "mixtral,lora,0.3,true",
        "mixtral,dora,0,false"
    })
    void gradientsAreTheSameBitForBit(
            String family, String method, double dropout, boolean padded) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                TinyAdapters.config(method, dropout, "all-linear"),
                                1);
                NDManager scope = NDManager.newBaseManager()) {
            TrainingGradientTest.randomise(model, adapted);
            NDArray mask = padded ? TinyModels.mask(scope) : null;
            Map<String, float[]> kept = gradients(model, adapted, mask, scope);
            model.useGradientCheckpointing(true);
            assertThat(model.usesGradientCheckpointing()).isTrue();
            Map<String, float[]> again = gradients(model, adapted, mask, scope);
            assertThat(again.keySet()).isEqualTo(kept.keySet()).isNotEmpty();
            again.forEach((name, values) -> assertThat(values).as(name).isEqualTo(kept.get(name)));
            if (dropout > 0) { // or the seeds would prove nothing
                TorchRuntime.seed(6);
                NDArray ids = TinyModels.ids(scope);
                model.backward(ids, mask, TinyModels.labels(scope, ids, mask), 10);
                Map<String, float[]> other =
                        TrainingGradientTest.takeGradients(adapted.adapter().parameters());
                String name = kept.keySet().iterator().next();
                assertThat(other.get(name)).isNotEqualTo(kept.get(name));
            }
        }
    }

    @Test
    void theRoutersBalanceCountsALayerOnce() {
        JsonObject json = TinyModels.json("mixtral");
        json.addProperty("output_router_logits", true);
        json.addProperty("router_aux_loss_coef", 0.5);
        try (CausalLm model = TinyModels.model(json, Dtype.F32);
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            Map<String, float[]> kept = gradients(model, adapted, null, scope);
            model.useGradientCheckpointing(true);
            Map<String, float[]> again = gradients(model, adapted, null, scope);
            assertThat(kept.keySet()).anyMatch(name -> name.contains(".gate."));
            again.forEach((name, values) -> assertThat(values).as(name).isEqualTo(kept.get(name)));
        }
    }

    @Test
    void aModelThatAutogradTrainsSaysThatItCannot() {
        try (CausalLm model = TinyModels.model("llama")) {
            model.block().freezeParameters(false);
            assertThat(model.canUseLayerKernels()).isFalse();
            assertThat(model.stepMemory(2, 9)).isEmpty();
            model.block().freezeParameters(true);
            try (AdaptedModel adapted =
                    Adapters.attach(
                            model.block(), TinyAdapters.config("lora", 0, "all-linear"), 1)) {
                assertThat(adapted.summary().trainable()).isPositive();
                assertThat(model.canUseLayerKernels()).isTrue();
                model.useLayerKernels(false);
                assertThat(model.canUseLayerKernels()).isFalse();
            }
        }
    }

    @Test
    void aRowOfOneTokenIsNoSpecialCase() {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(), TinyAdapters.config("lora", 0, "q_proj"), 1);
                NDManager scope = NDManager.newBaseManager()) {
            assertThat(adapted.summary().sites()).hasSize(2);
            model.useGradientCheckpointing(true);
            NDArray ids = scope.create(new long[] {1, 2}, new Shape(1, 2));
            assertThatCode(() -> model.backward(ids, null, ids, 1)).doesNotThrowAnyException();
        }
    }
}
