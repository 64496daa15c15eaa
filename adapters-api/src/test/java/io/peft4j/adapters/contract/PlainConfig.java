package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;

/**
 * The smallest method that does all there is to do, as another one beside the method under test:
 * \(W' = W + B A / 2\).
 *
 * @param rank the rows of A
 * @param targetModules what to adapt
 * @param dropout the probability of dropping an input in training
 */
record PlainConfig(int rank, TargetModules targetModules, double dropout) implements AdapterConfig {

    static final String TYPE = "PLAIN";

    static PlainConfig read(PeftConfig peft) {
        return new PlainConfig(
                peft.integer("r").orElseThrow(),
                TargetModules.read(peft),
                peft.number("dropout").orElse(0.0));
    }

    @Override
    public String method() {
        return "plain";
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        return new PlainState(this, site, owner, seed);
    }

    @Override
    public PeftConfig toPeft() {
        return targetModules
                .writeTo(PeftConfig.builder(TYPE))
                .opt("r", rank)
                .opt("dropout", dropout)
                .build();
    }
}
