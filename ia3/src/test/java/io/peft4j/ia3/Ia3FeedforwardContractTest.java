package io.peft4j.ia3;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.contract.AdapterContract;
import io.peft4j.adapters.contract.Target;
import java.util.Set;

/** The inputs' factors. */
class Ia3FeedforwardContractTest extends AdapterContract {

    @Override
    protected AdapterConfig config(int rank, TargetModules targets) {
        return Ia3Config.builder().setTargetModules(targets).optFeedforwardModules("re:.*").build();
    }

    @Override
    protected Set<Target> targets() {
        return Ia3ContractTest.TARGETS;
    }

    @Override
    protected boolean drawsItsValues() {
        return false;
    }
}
