package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients of layers whose backward is written by hand are those of autograd over the blocks. */
class LayerGradientsTest {

    @ParameterizedTest
    @CsvSource({
        "llama,lora,false",
        "llama,dora,false",
        "llama,lora,true",
        "llama,dora,true",
        "biased,lora,false",
        "biased,dora,true",
        "qwen2,lora,true",
        "qwen2,dora,false",
        "mistral,lora,false",
        "mistral,dora,true",
        "phi3,lora,true",
        "phi3,dora,false",
        "openelm,lora,false",
        "openelm,dora,true",
        "mixtral,lora,false",
        "mixtral,dora,false",
        "mixtral,lora,true",
        "mixtral,dora,true"
    })
    void ofAllLinearLayers(String family, String method, boolean padded) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0, "all-linear")) {
            BothWays.assertSame(model, adapted, padded);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "llama,q_proj",
        "llama,v_proj+down_proj",
        "biased,o_proj+up_proj",
        "qwen2,k_proj+gate_proj",
        "phi3,gate_up_proj",
        "openelm,proj_2",
        "mistral,lm_head",
        "mixtral,gate",
        "mixtral,w1",
        "mixtral,w2",
        "mixtral,w3+q_proj",
        "mixtral,w2+gate+lm_head",
        "mixtral,layers.1.block_sparse_moe.gate",
        "mixtral,layers.0.block_sparse_moe.experts.2.w1+layers.1.self_attn.k_proj"
    })
    void ofSomeLayers(String family, String targets) {
        for (String method : new String[] {"lora", "dora"}) {
            try (CausalLm model = TinyModels.model(family);
                    AdaptedModel adapted =
                            TinyAdapters.attach(model, method, 0, targets.split("\\+", -1))) {
                BothWays.assertSame(model, adapted, false);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "llama,lora,false",
        "llama,dora,true",
        "biased,dora,false",
        "phi3,lora,true",
        "openelm,dora,false",
        "mixtral,lora,false",
        "mixtral,dora,false",
        "mixtral,lora,true",
        "mixtral,dora,true"
    })
    void dropoutDropsTheSameElements(String family, String method, boolean padded) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0.3, "all-linear")) {
            BothWays.assertSame(model, adapted, padded);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "mixtral"})
    void ofANewAdapter(String family) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(), TinyAdapters.config("dora", 0, "all-linear"), 1)) {
            BothWays.assertSame(model, adapted, false);
        }
    }

    @ParameterizedTest
    @CsvSource({"llama,dora", "openelm,lora", "mixtral,lora", "mixtral,dora"})
    void addUpOverBatchesOfAnyLength(String family, String method) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray[] batches = {
                TinyModels.ids(scope, 1, 1, 2),
                TinyModels.ids(scope, 3, 3, 17),
                TinyModels.ids(scope, 7, 1, 40),
                TinyModels.ids(scope, 5, 4, 5)
            };
            for (NDArray batch : batches) {
                BothWays.backward(model, batch, null, false);
            }
            Map<String, float[]> expected = TinyAdapters.takeGradients(adapted);
            for (NDArray batch : batches) {
                BothWays.backward(model, batch, null, true);
            }
            BothWays.assertSame(TinyAdapters.takeGradients(adapted), expected);
        }
    }

    /** What one way has begun the other goes on with. */
    @Test
    void addUpOverBothWays() {
        try (CausalLm model = TinyModels.model("mixtral");
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            BothWays.backward(model, ids, null, true);
            BothWays.backward(model, ids, null, false);
            Map<String, float[]> mixed = TinyAdapters.takeGradients(adapted);
            BothWays.backward(model, ids, null, false);
            BothWays.backward(model, ids, null, false);
            BothWays.assertSame(mixed, TinyAdapters.takeGradients(adapted));
        }
    }
}
