package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMethod;
import io.peft4j.adapters.PeftConfig;

/** Recognises LoRA: PEFT type LORA without {@code use_dora}. */
public final class LoraMethod implements AdapterMethod {

    /** Creates the method; called by {@link java.util.ServiceLoader}. */
    public LoraMethod() {}

    @Override
    public String name() {
        return "lora";
    }

    @Override
    public boolean recognises(PeftConfig config) {
        return config.string("peft_type").filter("LORA"::equals).isPresent()
                && !config.flag("use_dora");
    }

    @Override
    public AdapterConfig read(PeftConfig config) {
        return LoraConfig.builder().read(config).build();
    }
}
