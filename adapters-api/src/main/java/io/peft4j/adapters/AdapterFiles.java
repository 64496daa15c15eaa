package io.peft4j.adapters;

/** PEFT's directory format: {@code adapter_config.json} and {@code adapter_model.safetensors}. */
final class AdapterFiles {

    private static final String PREFIX = "base_model.model.";

    private AdapterFiles() {}

    /** PEFT's name of a tensor: the wrapper's prefix, the module's path, the tensor's own key. */
    static String key(Site site, String tensor) {
        return PREFIX + site.path() + "." + tensor;
    }
}
