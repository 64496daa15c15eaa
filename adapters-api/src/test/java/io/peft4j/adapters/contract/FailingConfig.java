package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import org.jspecify.annotations.Nullable;

/** Settings whose method fails at the last site: at once, or when it is merged. */
final class FailingConfig implements AdapterConfig {

    static final String MESSAGE = "no more of it";

    private final AdapterConfig good;
    private final int calls;
    private int left;

    /**
     * Wraps settings.
     *
     * @param good what the other sites are given
     * @param sites how many others there are
     * @param calls how many effective weights the last one gives; -1 if it cannot be created
     */
    FailingConfig(AdapterConfig good, int sites, int calls) {
        this.good = good;
        this.calls = calls;
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
        if (left-- > 0) {
            return good.create(site, weight, owner, seed);
        }
        if (calls < 0) {
            throw new IllegalStateException(MESSAGE);
        }
        return new DelegatingState(good.create(site, weight, owner, seed)) {

            private int given;

            @Override
            public NDArray effectiveWeight(NDArray w, ParameterStore store, boolean training) {
                if (given++ == calls) {
                    throw new IllegalStateException(MESSAGE);
                }
                return super.effectiveWeight(w, store, training);
            }
        };
    }

    @Override
    public @Nullable AdapterState createBias(Site site, NDManager owner) {
        return good.createBias(site, owner);
    }

    @Override
    public PeftConfig toPeft() {
        return good.toPeft();
    }
}
