package io.peft4j.models;

import java.util.List;
import java.util.OptionalInt;

/**
 * Mistral (Jiang et al., arXiv:2310.06825): LLaMA with an attention window in its first version.
 */
final class Mistral implements ModelFamily {

    @Override
    public String modelType() {
        return "mistral";
    }

    @Override
    public List<String> targetModules() {
        return LlamaStyle.LINEARS;
    }

    @Override
    public Architecture architecture(ConfigJson config) {
        OptionalInt window = LlamaStyle.window(config, OptionalInt.of(4096));
        return new LlamaStyle(config).keyValueHeads(8).windows(layer -> window).architecture();
    }
}
