package io.peft4j.ia3;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.contract.AdapterContract;
import io.peft4j.adapters.contract.Target;
import java.util.EnumSet;
import java.util.Set;

/** The outputs' factors. */
class Ia3ContractTest extends AdapterContract {

    static final Set<Target> TARGETS =
            EnumSet.of(
                    Target.LINEAR,
                    Target.ADAPTABLE_LINEAR,
                    Target.LINEAR_IN_A_LAMBDA,
                    Target.CONVOLUTION);

    @Override
    protected AdapterConfig config(int rank, TargetModules targets) {
        return Ia3Config.builder().setTargetModules(targets).build();
    }

    @Override
    protected Set<Target> targets() {
        return TARGETS;
    }

    @Override
    protected boolean drawsItsValues() {
        return false;
    }
}
