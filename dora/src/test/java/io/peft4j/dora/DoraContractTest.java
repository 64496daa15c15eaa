package io.peft4j.dora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.contract.AdapterContract;
import java.util.Optional;

class DoraContractTest extends AdapterContract {

    private static DoraConfig.Builder settings(int rank, TargetModules targets) {
        return DoraConfig.builder()
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

    /** The norm is a constant in backward: arXiv:2402.09353, section 4.3. */
    @Override
    protected boolean hasExactGradient(String key) {
        return key.equals("lora_magnitude_vector");
    }
}
