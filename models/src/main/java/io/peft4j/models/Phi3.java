package io.peft4j.models;

import java.util.List;
import java.util.OptionalInt;

/**
 * Phi-3 and Phi-4-mini (Abdin et al., arXiv:2404.14219): fused projections, an attention window,
 * for 128 thousand tokens LongRoPE, with Phi-4-mini only a part of each head rotated.
 */
final class Phi3 implements ModelFamily {

    @Override
    public String modelType() {
        return "phi3";
    }

    @Override
    public List<String> targetModules() {
        return List.of("qkv_proj", "o_proj", "gate_up_proj", "down_proj");
    }

    @Override
    public Architecture architecture(ConfigJson config) {
        OptionalInt window = LlamaStyle.window(config, OptionalInt.empty());
        return new LlamaStyle(config)
                .requireZero("resid_pdrop")
                .requireZero("embd_pdrop")
                .requireFalse("attention_bias")
                .requireFalse("mlp_bias")
                .requireFalse("lm_head_bias")
                .normEpsilon(1e-5)
                .originalLength(4096)
                .partialRotary()
                .windows(layer -> window)
                .fused("qkv_proj", "gate_up_proj")
                .architecture();
    }
}
