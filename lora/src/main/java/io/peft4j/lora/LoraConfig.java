package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;

/**
 * LoRA: \(W' = W + s B A\) (Hu et al., arXiv:2106.09685).
 *
 * <pre>{@code
 * LoraConfig.builder().setRank(16).optAlpha(32).setTargetModules("qkv_proj", "out_proj").build()
 * }</pre>
 */
public final class LoraConfig extends LowRankConfig {

    private LoraConfig(Builder builder) {
        super(builder);
    }

    @Override
    public String method() {
        return "lora";
    }

    @Override
    protected boolean useDora() {
        return false;
    }

    @Override
    protected LoraConfig read(PeftConfig peft) {
        return builder().read(peft).build();
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        return new LoraState(LowRankPair.create(this, site, weight, owner, seed));
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link LoraConfig}. */
    public static final class Builder extends LowRankConfig.Builder<Builder> {

        private Builder() {}

        @Override
        protected Builder self() {
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         */
        public LoraConfig build() {
            return checked(new LoraConfig(this));
        }
    }
}
