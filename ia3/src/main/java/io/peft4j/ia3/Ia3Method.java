package io.peft4j.ia3;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMethod;
import io.peft4j.adapters.PeftConfig;
import java.util.Set;

/** Recognises (IA)³: PEFT type IA3. */
public final class Ia3Method implements AdapterMethod {

    /** Creates the method; called by {@link java.util.ServiceLoader}. */
    public Ia3Method() {}

    @Override
    public String name() {
        return Ia3Config.METHOD;
    }

    @Override
    public String peftType() {
        return Ia3Config.PEFT_TYPE;
    }

    @Override
    public Set<String> configKeys() {
        return Set.of("fan_in_fan_out", "feedforward_modules", "init_ia3_weights");
    }

    @Override
    public AdapterConfig read(PeftConfig config) {
        return Ia3Config.builder().read(config).build();
    }
}
