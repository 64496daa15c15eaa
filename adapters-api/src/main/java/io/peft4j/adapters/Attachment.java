package io.peft4j.adapters;

import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An adapter's state at one base weight.
 *
 * @param weight the base weight
 * @param state what stands in its place
 * @param keyPrefix what PEFT's tensor keys begin with, up to the state's own keys
 * @param reachesTies whether modules that share the weight are adapted with it
 */
record Attachment(BaseWeight weight, AdapterState state, String keyPrefix, boolean reachesTies) {

    String path() {
        return weight.site().path();
    }

    /** The state's parameters by PEFT's full key. */
    Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        state.parameters().forEach((key, parameter) -> parameters.put(keyPrefix + key, parameter));
        return parameters;
    }

    long size() {
        return state.parameters().values().stream().mapToLong(p -> p.getShape().size()).sum();
    }
}
