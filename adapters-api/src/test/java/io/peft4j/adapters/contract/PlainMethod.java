package io.peft4j.adapters.contract;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMethod;
import io.peft4j.adapters.PeftConfig;
import java.util.Set;

/** Finds saved {@link PlainConfig}s. */
public final class PlainMethod implements AdapterMethod {

    @Override
    public String name() {
        return "plain";
    }

    @Override
    public String peftType() {
        return PlainConfig.TYPE;
    }

    @Override
    public Set<String> configKeys() {
        return Set.of("dropout", "r");
    }

    @Override
    public AdapterConfig read(PeftConfig config) {
        return PlainConfig.read(config);
    }
}
