package io.peft4j.models;

import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Memory on the CPU for what layers keep for backward, which stays from one step to the next.
 *
 * <p>What is kept and what is made on the way come from the allocator in turn, in sizes that differ
 * little. When the latter is freed, the former is left between holes which the next layer's tensors
 * do not quite fit: an eighth of all that a step holds. So what is kept is moved here, one behind
 * the other. The caching allocator of a GPU has no need of it.
 */
final class ActivationMemory {

    private final String id = UUID.randomUUID().toString();
    private @Nullable TorchValue idle;
    private @Nullable NDManager owner;

    /**
     * Takes the memory for a pass; another that runs meanwhile gets some of its own.
     *
     * @param kernels have {@code activations.ts}
     * @param model the manager that it is freed with
     */
    synchronized Use take(TextModule kernels, NDManager model) {
        if (owner == null) {
            model.attachInternal(id, this::free);
            owner = model;
        }
        TorchValue taken = idle;
        idle = null;
        if (taken == null) {
            return new Use(kernels.infer("no_memory"));
        }
        try (taken) {
            return new Use(kernels.infer("emptied", taken));
        }
    }

    private synchronized void giveBack(TorchValue used) {
        if (idle == null && owner != null) {
            idle = used;
        } else {
            used.close();
        }
    }

    /** Frees what no pass is using. */
    synchronized void free() {
        if (idle != null) {
            idle.close();
            idle = null;
        }
        if (owner != null) {
            owner.detachInternal(id);
            owner = null;
        }
    }

    /** The memory in a pass, to close when nothing that was moved there is needed any more. */
    final class Use implements AutoCloseable {

        private final TorchValue memory;

        private Use(TorchValue memory) {
            this.memory = memory;
        }

        /** Returns the memory, as kernels take it. */
        TorchValue memory() {
            return memory;
        }

        @Override
        public void close() {
            giveBack(memory);
        }
    }
}
