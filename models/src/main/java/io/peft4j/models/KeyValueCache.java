package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;

/**
 * The rotated keys and the values of the tokens so far.
 *
 * <p>The buffers are made once, for all tokens that may come: appending to a tensor would copy all
 * earlier tokens at every step, which makes a long text cost the square of its length.
 */
final class KeyValueCache implements AutoCloseable {

    private final NDManager manager;
    private final NDManager host;
    private final int capacity;
    private final int batch;
    private final List<Layer> layers = new ArrayList<>();
    private NDArray position;
    private int length;

    KeyValueCache(
            NDManager parent, Architecture architecture, ScalarType type, int batch, int capacity) {
        manager = parent.newSubManager();
        this.capacity = capacity;
        this.batch = batch;
        host = manager.newSubManager(Device.cpu());
        position = host.create(0L);
        for (LayerShape layer : architecture.layers()) {
            Shape shape =
                    new Shape(
                            (long) batch * layer.keyValueHeads(),
                            1,
                            capacity,
                            architecture.headDim());
            layers.add(
                    new Layer(
                            Tensors.empty(manager, shape, type),
                            Tensors.empty(manager, shape, type)));
        }
    }

    /** Views some rows of a batch, which start from as many tokens; it is closed with the whole. */
    private KeyValueCache(KeyValueCache whole, Weights.Part part) {
        manager = whole.manager.newSubManager();
        capacity = whole.capacity;
        batch = part.count();
        length = whole.length;
        host = manager.newSubManager(Device.cpu());
        position = host.create((long) length);
        for (Layer layer : whole.layers) {
            long heads = layer.keys.getShape().get(0) / whole.batch;
            long from = part.start() * heads;
            long to = from + part.count() * heads;
            layers.add(
                    new Layer(
                            Kernels.rows(manager, layer.keys, from, to),
                            Kernels.rows(manager, layer.values, from, to)));
        }
    }

    /**
     * Views the rows of a part of the batch, which has as many tokens.
     *
     * @param part the rows
     * @return the view; close it
     */
    KeyValueCache rows(Weights.Part part) {
        return new KeyValueCache(this, part);
    }

    /** Returns the number of tokens so far. */
    int length() {
        return length;
    }

    /** Checks what the kernel cannot do: exceed the buffers, or append several tokens later on. */
    void requireRoomFor(int tokens) {
        if (length + tokens > capacity || (length > 0 && tokens > 1)) {
            throw new IllegalStateException(
                    "expected all first tokens at once, then one at a time up to "
                            + capacity
                            + ", found "
                            + tokens
                            + " after "
                            + length);
        }
    }

    Layer layer(int number) {
        return layers.get(number);
    }

    /** Counts the tokens of a pass that has gone through all layers. */
    void advance(int tokens) {
        length += tokens;
        position.close();
        position = host.create((long) length);
    }

    /** Forgets all tokens. */
    void clear() {
        advance(-length);
    }

    @Override
    public void close() {
        layers.forEach(layer -> layer.buffers.close());
        manager.close();
    }

    /** One layer's buffers, (B · key-value heads, 1, capacity, D) each. */
    final class Layer {

        private final NDArray keys;
        private final NDArray values;
        private final TorchValue buffers;

        private Layer(NDArray keys, NDArray values) {
            this.keys = keys;
            this.values = values;
            buffers = TorchValue.of(List.of(keys, values));
        }

        /** Returns keys and values, as the layers' kernels take them. */
        TorchValue buffers() {
            return buffers;
        }

        NDArray keys() {
            return keys;
        }

        NDArray values() {
            return values;
        }

        /** Returns the position of the next token. */
        NDArray position() {
            return position;
        }
    }
}
