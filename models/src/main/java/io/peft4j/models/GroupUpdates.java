package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.LowRankUpdate;
import io.peft4j.torch.DropoutMask;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What adapters add to a {@link LinearGroup} in one pass, as the kernels take it. */
final class GroupUpdates implements AutoCloseable {

    private static final NDManager MANAGER = NDManager.newBaseManager(Device.cpu(), "PyTorch");
    private static final NDArray NOTHING = MANAGER.create(new Shape(0));

    /** A group that nothing is added to, kept for the life of the process. */
    private static final GroupUpdates NONE = new GroupUpdates(new Builder(), false);

    private static final TorchValue KEEP_ALL = TorchValue.of(List.<NDArray>of());

    private final List<NDArray> trained;
    private final int changedLayers;
    private final double[] dropouts;
    private long @Nullable [] seeds;
    private final TorchValue tensors;
    private final TorchValue layers;
    private final TorchValue numbers;

    private GroupUpdates(Builder builder, boolean training) {
        trained = builder.trained;
        changedLayers = builder.changedLayers;
        int count = builder.updates.size();
        boolean dropping = training && builder.updates.stream().anyMatch(u -> u.dropout() > 0);
        dropouts = new double[dropping ? count : 0];
        double[] scales = new double[2 * count];
        for (int i = 0; i < count; i++) {
            LowRankUpdate update = builder.updates.get(i);
            scales[2 * i] = update.scaling();
            scales[2 * i + 1] = 1;
            if (dropping && update.dropout() > 0) {
                dropouts[i] = update.dropout();
                scales[2 * i + 1] = 1 / DropoutMask.keepRate(update.dropout());
            }
        }
        tensors = TorchValue.of(builder.tensors);
        layers = TorchValue.ofLongs(builder.layers.stream().mapToLong(i -> i).toArray());
        numbers = TorchValue.ofDoubles(scales);
    }

    /**
     * Takes updates that were prepared for passes without backward.
     *
     * @param changedLayers how many layers they change
     * @param tensors as {@code project_prepared} takes them, and so the others
     */
    GroupUpdates(int changedLayers, TorchValue tensors, long[] layers, double[] numbers) {
        this.changedLayers = changedLayers;
        this.tensors = tensors;
        this.layers = TorchValue.ofLongs(layers);
        this.numbers = TorchValue.ofDoubles(numbers);
        trained = List.of();
        dropouts = new double[0];
        seeds = new long[0];
    }

    /** Returns those of a group that nothing is added to. */
    static GroupUpdates none() {
        return NONE;
    }

    /** Returns a tensor without elements, in the place of one that is not there. */
    static NDArray nothing() {
        return NOTHING;
    }

    /** Returns how many layers of the group an adapter changes. */
    int changedLayers() {
        return changedLayers;
    }

    /** Tells whether dropout acts. */
    boolean isDropping() {
        return dropouts.length > 0;
    }

    /** Returns the tensors that require a gradient. */
    List<NDArray> trained() {
        return trained;
    }

    TorchValue tensors() {
        return tensors;
    }

    TorchValue layers() {
        return layers;
    }

    TorchValue numbers() {
        return numbers;
    }

    /**
     * Makes the masks of dropout, the same ones each time.
     *
     * @param owner whose device they will be on
     * @param input the shape (T, in) of the group's input
     * @return one per update; close it
     */
    TorchValue keeps(NDManager owner, Shape input) {
        if (dropouts.length == 0) {
            return KEEP_ALL;
        }
        long[] drawn = seeds();
        try (NDManager scope = owner.newSubManager()) {
            List<NDArray> keeps = new ArrayList<>();
            for (int i = 0; i < dropouts.length; i++) {
                keeps.add(
                        dropouts[i] == 0
                                ? NOTHING
                                : DropoutMask.keep(scope, drawn[i], input, dropouts[i]));
            }
            return TorchValue.of(keeps);
        }
    }

    /**
     * Draws when masks are first asked for, as autograd does: never for an expert without tokens.
     */
    private long[] seeds() {
        long[] drawn = seeds;
        if (drawn == null) {
            drawn = new long[dropouts.length];
            for (int i = 0; i < drawn.length; i++) {
                drawn[i] = dropouts[i] == 0 ? 0 : DropoutMask.drawSeed();
            }
            seeds = drawn;
        }
        return drawn;
    }

    /** Frees masks that {@link #keeps} gave. */
    static void free(TorchValue keeps) {
        if (keeps != KEEP_ALL) {
            keeps.close();
        }
    }

    @Override
    public void close() {
        if (this != NONE) {
            tensors.close();
            layers.close();
            numbers.close();
        }
    }

    /** Collects the updates of a group, layer by layer. */
    static final class Builder {

        private final List<LowRankUpdate> updates = new ArrayList<>();
        private final List<NDArray> tensors = new ArrayList<>();
        private final List<NDArray> trained = new ArrayList<>();
        private final List<Integer> layers = new ArrayList<>();
        private int changedLayers;

        /** Adds those of a layer, unless the kernels cannot compute them together. */
        boolean add(int layer, List<LowRankUpdate> own) {
            if (own.size() > 1 && own.stream().anyMatch(update -> update.gain() != null)) {
                return false; // each gain has the base's own output to multiply
            }
            changedLayers += own.isEmpty() ? 0 : 1;
            for (LowRankUpdate update : own) {
                LowRankUpdate.Gain gain = update.gain();
                updates.add(update);
                layers.add(layer);
                tensors.add(update.a());
                tensors.add(update.b());
                tensors.add(gain == null ? NOTHING : gain.magnitude());
                tensors.add(gain == null ? NOTHING : gain.norm());
            }
            return true;
        }

        GroupUpdates build(boolean training) {
            if (training) {
                tensors.stream().filter(NDArray::hasGradient).forEach(trained::add);
            }
            return updates.isEmpty() ? NONE : new GroupUpdates(this, training);
        }
    }
}
