package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterContract;
import io.peft4j.adapters.TargetModules;

class LoraContractTest extends AdapterContract {

    @Override
    protected AdapterConfig config(int rank, boolean rsLora, TargetModules targets) {
        return LoraConfig.builder()
                .setRank(rank)
                .optAlpha(1.5 * rank)
                .optRsLora(rsLora)
                .setTargetModules(targets)
                .build();
    }
}
