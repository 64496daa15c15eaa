package io.peft4j.adapters;

import java.util.Set;

/**
 * Recognises an adapter method in an {@code adapter_config.json}. Implementations are found by
 * {@link java.util.ServiceLoader}, so that a saved adapter of any method on the class path loads.
 */
public interface AdapterMethod {

    /**
     * Returns the method's name as a user writes it, such as {@code lora}.
     *
     * @return the name
     */
    String name();

    /**
     * Returns PEFT's name of the method's family.
     *
     * @return the {@code peft_type}, such as {@code LORA}
     */
    String peftType();

    /**
     * Returns the settings that {@link #read} understands or refuses by name, beside those that all
     * methods have. A saved config with others is read with a warning.
     *
     * @return keys of {@code adapter_config.json}
     */
    Set<String> configKeys();

    /**
     * Tells whether a saved config is of this method.
     *
     * @param config the saved config
     * @return true if {@link #read} takes it; all configs of the type, unless several methods share
     *     it
     */
    default boolean recognises(PeftConfig config) {
        return config.string("peft_type").filter(peftType()::equals).isPresent();
    }

    /**
     * Reads the settings of this method.
     *
     * @param config a config that {@link #recognises} accepts
     * @return the settings
     * @throws AdapterConfigException if a value is missing, malformed or not supported
     */
    AdapterConfig read(PeftConfig config);
}
