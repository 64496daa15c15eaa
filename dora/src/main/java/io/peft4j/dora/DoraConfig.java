package io.peft4j.dora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.lora.LowRankPair;

/**
 * DoRA: \(W' = m \odot (W + s B A) / \lVert W + s B A \rVert\), a trained magnitude m per output
 * row and a direction that LoRA's pair turns (Liu et al., DoRA: Weight-Decomposed Low-Rank
 * Adaptation, arXiv:2402.09353). The norm is a constant in backward (section 4.3 of the paper).
 *
 * <pre>{@code
 * DoraConfig.builder().setRank(16).optAlpha(32).setTargetModules("qkv_proj", "out_proj").build()
 * }</pre>
 */
public final class DoraConfig extends LowRankConfig {

    private DoraConfig(Builder builder) {
        super(builder);
    }

    @Override
    public String method() {
        return "dora";
    }

    @Override
    protected boolean useDora() {
        return true;
    }

    @Override
    protected DoraConfig read(PeftConfig peft) {
        return builder().read(peft).build();
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        LowRankPair pair = LowRankPair.create(this, site, weight, owner, seed);
        return new DoraState(pair, site, weight, owner);
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link DoraConfig}. */
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
        public DoraConfig build() {
            return checked(new DoraConfig(this));
        }
    }
}
