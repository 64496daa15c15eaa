package io.peft4j.adapters;

import ai.djl.training.ParameterStore;
import java.io.IOException;
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

    /**
     * Gives a saved adapter in the names of this model's modules, for a model whose files know
     * other names, or one module where this model has several.
     *
     * @param saved an adapter as it lies on the disk; its tensors can be read until the adapter is
     *     loaded
     * @return the settings and tensors that this model would have written; what it was given,
     *     unless a model says otherwise
     * @throws AdapterConfigException if the settings mean something that this model does not have
     * @throws AdapterMismatchException if the tensors are not those of the settings
     * @throws IOException if the tensors cannot be read
     */
    default SavedAdapter inOwnNames(SavedAdapter saved) throws IOException {
        return saved;
    }
}
