package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;

/** A {@link PlainConfig} with a defect. */
record BrokenConfig(PlainConfig good, Defect defect) implements AdapterConfig {

    @Override
    public String method() {
        return good.method();
    }

    @Override
    public TargetModules targetModules() {
        return good.targetModules();
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        return defect.in(good.create(site, weight, owner, defect.seed(seed)));
    }

    @Override
    public PeftConfig toPeft() {
        int rank = defect.savedRank(good.rank());
        return new PlainConfig(rank, good.targetModules(), good.dropout()).toPeft();
    }
}
