package io.peft4j.adapters.contract;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMethod;
import io.peft4j.adapters.PeftConfig;

/** Finds saved {@link PlainConfig}s. */
public final class PlainMethod implements AdapterMethod {

    @Override
    public String name() {
        return "plain";
    }

    @Override
    public boolean recognises(PeftConfig config) {
        return config.string("peft_type").filter(PlainConfig.TYPE::equals).isPresent();
    }

    @Override
    public AdapterConfig read(PeftConfig config) {
        return PlainConfig.read(config);
    }
}
