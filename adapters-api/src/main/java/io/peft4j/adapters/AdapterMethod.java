package io.peft4j.adapters;

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
     * Tells whether a saved config is of this method.
     *
     * @param config the saved config
     * @return true if {@link #read} takes it
     */
    boolean recognises(PeftConfig config);

    /**
     * Reads the settings of this method.
     *
     * @param config a config that {@link #recognises} accepts
     * @return the settings
     * @throws AdapterConfigException if a value is missing, malformed or not supported
     */
    AdapterConfig read(PeftConfig config);
}
