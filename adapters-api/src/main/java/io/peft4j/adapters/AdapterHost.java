package io.peft4j.adapters;

import ai.djl.training.ParameterStore;
import org.jspecify.annotations.Nullable;

/**
 * A root block whose model makes its own {@link ParameterStore}s. It passes each of them, and those
 * that come with a forward, through {@link AdaptedModel#store}, and so is adapted itself, without
 * {@link AdaptedModel#block()}.
 */
public interface AdapterHost {

    /**
     * Sets the adapters; called when they come and when they go.
     *
     * @param model the adapted model, or null for none
     */
    void setAdapters(@Nullable AdaptedModel model);
}
