package io.peft4j.dora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMethod;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.lora.LowRankConfig;
import java.util.Set;

/** Recognises DoRA: PEFT type LORA with {@code use_dora}. */
public final class DoraMethod implements AdapterMethod {

    /** Creates the method; called by {@link java.util.ServiceLoader}. */
    public DoraMethod() {}

    @Override
    public String name() {
        return "dora";
    }

    @Override
    public String peftType() {
        return LowRankConfig.PEFT_TYPE;
    }

    @Override
    public Set<String> configKeys() {
        return LowRankConfig.CONFIG_KEYS;
    }

    @Override
    public boolean recognises(PeftConfig config) {
        return AdapterMethod.super.recognises(config) && config.flag("use_dora");
    }

    @Override
    public AdapterConfig read(PeftConfig config) {
        return DoraConfig.builder().read(config).build();
    }
}
