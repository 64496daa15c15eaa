package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.pytorch.engine.PtNDArray;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A scope in which DJL's arithmetic with Java numbers is safe for backward.
 *
 * <pre>{@code
 * try (KeptBuffers kept = KeptBuffers.until(batch.getManager())) {
 *     loss = prediction.sub(label).square().mul(0.5f).mean();
 * }
 * }</pre>
 *
 * <p>{@code array.mul(0.5f)} puts the number into a Java buffer, makes a tensor of it and closes
 * that at once. The graph has kept the tensor, which does not keep the buffer: if the garbage
 * collector runs before backward, the gradient is computed with whatever lies there then. The same
 * happens with {@code manager.create(number)} when the manager is closed before backward, as in
 * DJL's BertBlock. This scope holds such buffers until a manager is closed that lives longer.
 *
 * <p>It sees what its own thread makes, but not within an {@link NDScope} that is opened inside.
 * DJL offers no hook for this, so two of its private fields are read; a version without them is
 * refused.
 */
public final class KeptBuffers implements AutoCloseable {

    private static final Field REGISTERED = DjlFields.field(NDScope.class, "resources");
    private static final Field BUFFER = DjlFields.field(PtNDArray.class, "dataRef");

    private final NDManager owner;
    private final NDScope scope = new NDScope();
    private final Registered registered = new Registered();

    private KeptBuffers(NDManager owner) {
        this.owner = owner;
        DjlFields.write(REGISTERED, scope, registered);
    }

    /**
     * Opens a scope on this thread.
     *
     * @param owner the manager that is closed after backward, such as the batch's
     * @return the scope
     */
    public static KeptBuffers until(NDManager owner) {
        return new KeptBuffers(owner);
    }

    /** Ends the scope; arrays of it are known to an {@link NDScope} around it as if made there. */
    @Override
    public void close() {
        List<NDArray> arrays = new ArrayList<>(registered.keySet());
        arrays.forEach(registered::keep);
        registered.clear();
        scope.close();
        arrays.stream().filter(array -> !array.isReleased()).forEach(NDScope::register);
        List<ByteBuffer> buffers = registered.buffers;
        if (!buffers.isEmpty()) {
            AutoCloseable hold = buffers::clear;
            owner.attachInternal(UUID.randomUUID().toString(), hold);
        }
    }

    /** What the scope closes in the end; each array comes by when it is made. */
    private static final class Registered extends IdentityHashMap<NDArray, NDArray> {

        private static final long serialVersionUID = 1L;

        private final transient List<ByteBuffer> buffers = new ArrayList<>();

        @Override
        public @Nullable NDArray put(NDArray array, NDArray same) {
            keep(array);
            return super.put(array, same);
        }

        void keep(NDArray array) {
            if (array instanceof PtNDArray
                    && DjlFields.read(BUFFER, array) instanceof ByteBuffer buffer) {
                buffers.add(buffer);
            }
        }
    }
}
