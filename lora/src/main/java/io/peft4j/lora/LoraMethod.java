package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMethod;
import io.peft4j.adapters.PeftConfig;
import java.util.Set;

/** Recognises LoRA: PEFT type LORA without {@code use_dora}. */
public final class LoraMethod implements AdapterMethod {

    /** Creates the method; called by {@link java.util.ServiceLoader}. */
    public LoraMethod() {}

    @Override
    public String name() {
        return "lora";
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
        return AdapterMethod.super.recognises(config) && !config.flag("use_dora");
    }

    @Override
    public AdapterConfig read(PeftConfig config) {
        return LoraConfig.builder().read(config).build();
    }
}
