package io.peft4j.adapters.contract;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import java.util.Optional;

class PlainContractTest extends AdapterContract {

    @Override
    protected AdapterConfig config(int rank, TargetModules targets) {
        return new PlainConfig(rank, targets, 0);
    }

    @Override
    protected Optional<AdapterConfig> configWithDropout(
            int rank, TargetModules targets, double probability) {
        return Optional.of(new PlainConfig(rank, targets, probability));
    }
}
