package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;

/** Settings whose method fails after some sites. */
final class FailingConfig implements AdapterConfig {

    static final String MESSAGE = "no more sites";

    private final AdapterConfig good;
    private int left;

    FailingConfig(AdapterConfig good, int sites) {
        this.good = good;
        left = sites;
    }

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
        if (left-- == 0) {
            throw new IllegalStateException(MESSAGE);
        }
        return good.create(site, weight, owner, seed);
    }

    @Override
    public PeftConfig toPeft() {
        return good.toPeft();
    }
}
