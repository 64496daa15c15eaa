package io.peft4j.models;

import java.util.List;

/**
 * LLaMA in all sizes and generations (Grattafiori et al., arXiv:2407.21783): grouped queries,
 * separate projections, with LLaMA 3.1 scaled rotary positions, with LLaMA 3.2 often a tied head.
 */
final class Llama implements ModelFamily {

    @Override
    public String modelType() {
        return "llama";
    }

    @Override
    public List<String> targetModules() {
        return LlamaStyle.LINEARS;
    }

    @Override
    public Architecture architecture(ConfigJson config) {
        boolean attention = config.flag("attention_bias").orElse(false);
        boolean feedForward = config.flag("mlp_bias").orElse(false);
        return new LlamaStyle(config)
                .biases(new Biases(attention, attention, feedForward))
                .architecture();
    }
}
