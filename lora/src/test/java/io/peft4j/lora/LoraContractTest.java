package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.contract.AdapterContract;
import java.util.Optional;

class LoraContractTest extends AdapterContract {

    private static LoraConfig.Builder settings(int rank, TargetModules targets) {
        return LoraConfig.builder()
                .setRank(rank)
                .optAlpha(1.5 * rank)
                .optRsLora(rank == 3)
                .setTargetModules(targets);
    }

    @Override
    protected AdapterConfig config(int rank, TargetModules targets) {
        return settings(rank, targets).build();
    }

    @Override
    protected Optional<AdapterConfig> configWithDropout(
            int rank, TargetModules targets, double probability) {
        return Optional.of(settings(rank, targets).optDropout(probability).build());
    }
}
