package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TorchValue;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** A pass without backward that is used again: see {@link KeptPasses}. */
final class KeptPass implements AutoCloseable {

    private final Key key;
    private final Written written;
    private final EnginePass pass;
    private final Consumer<KeptPass> onClose;
    private final String id = UUID.randomUUID().toString();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** One for being kept, and one for each use; the last one frees what was prepared. */
    private final AtomicInteger holds = new AtomicInteger(1);

    /**
     * Keeps a pass.
     *
     * @param key what it is computed from
     * @param written how often that was written to before the pass was made
     * @param pass the pass
     * @param onClose is told when it is kept no more
     */
    KeptPass(Key key, Written written, EnginePass pass, Consumer<KeptPass> onClose) {
        this.key = key;
        this.written = written;
        this.pass = pass;
        this.onClose = onClose;
    }

    /**
     * What a pass is computed from.
     *
     * @param layout for each part of the batch its first row, its rows and how many sources it has
     * @param base the model's arrays
     * @param sources the arrays of the adapters and of the weights that they change
     */
    record Key(List<Integer> layout, List<NDArray> base, List<NDArray> sources) {

        boolean isSame(Key other) {
            return layout.equals(other.layout)
                    && isSame(sources, other.sources)
                    && isSame(base, other.base);
        }

        private static boolean isSame(List<NDArray> some, List<NDArray> others) {
            if (some.size() != others.size()) {
                return false;
            }
            for (int i = 0; i < some.size(); i++) {
                if (some.get(i) != others.get(i)) {
                    return false;
                }
            }
            return true;
        }
    }

    /**
     * How often the sources had been written to.
     *
     * @param tensors the sources
     * @param count libtorch's counts of all of them
     */
    record Written(TorchValue tensors, long count) implements AutoCloseable {

        static Written now(Key key) {
            TorchValue tensors = TorchValue.of(key.sources());
            return new Written(tensors, count(tensors));
        }

        private static long count(TorchValue tensors) {
            try (TorchValue count = PreparedUpdates.KERNELS.infer("writes", tensors)) {
                return count.longs()[0];
            }
        }

        boolean isSince() {
            return count(tensors) != count;
        }

        @Override
        public void close() {
            tensors.close();
        }
    }

    boolean isOf(Key other) {
        return key.isSame(other);
    }

    boolean isStale() {
        return !key.sources().isEmpty() && written.isSince();
    }

    /** Has this closed when one of the adapters is freed. */
    void attach() {
        for (NDManager owner : owners()) {
            owner.attachInternal(id, this);
        }
    }

    private Set<NDManager> owners() {
        Set<NDManager> owners = Collections.newSetFromMap(new IdentityHashMap<>());
        key.sources().forEach(array -> owners.add(array.getManager()));
        return owners;
    }

    /** Returns the pass, to close when it has been used. */
    EnginePass use() {
        holds.incrementAndGet();
        return pass.closing(this::release);
    }

    private void release() {
        if (holds.decrementAndGet() == 0) {
            pass.close();
            written.close();
        }
    }

    /** Keeps the pass no more; uses of it end undisturbed. A second call does nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            onClose.accept(this);
            owners().forEach(owner -> owner.detachInternal(id));
            release();
        }
    }
}
