package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.LowRankUpdate;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;

/**
 * Collects what adapters add to a {@link LinearGroup}, and prepares it for passes without backward:
 * matrices with one input joined, in the base's type, gains instead of magnitudes and norms. Each
 * part of a batch may have updates of its own.
 */
final class PreparedUpdates {

    static final TextModule KERNELS = TextModule.resource(PreparedUpdates.class, "preparing.ts");

    private final List<NDArray> tensors = new ArrayList<>(); // four per update
    private final List<Long> counts = new ArrayList<>(); // updates of each part
    private final List<Long> at = new ArrayList<>();
    private final List<Double> scales = new ArrayList<>();
    private int changedLayers;

    PreparedUpdates(List<Weights.Part> parts) {
        long rows = parts.stream().mapToLong(Weights.Part::count).sum();
        at.addAll(List.of(-rows, (long) parts.size()));
    }

    /**
     * Adds those of a part, unless the kernels cannot compute them together.
     *
     * @param part the next part
     * @param layers the updates of each layer
     */
    boolean add(Weights.Part part, List<List<LowRankUpdate>> layers) {
        long count = layers.stream().mapToLong(List::size).sum();
        at.addAll(List.of((long) part.start(), (long) part.count(), count));
        counts.add(count);
        for (int layer = 0; layer < layers.size(); layer++) {
            List<LowRankUpdate> own = layers.get(layer);
            if (own.size() > 1 && own.stream().anyMatch(update -> update.gain() != null)) {
                return false; // each gain has the base's own output to multiply
            }
            changedLayers += own.isEmpty() ? 0 : 1;
            for (LowRankUpdate update : own) {
                add(layer, update);
            }
        }
        return true;
    }

    private void add(int layer, LowRankUpdate update) {
        LowRankUpdate.Gain gain = update.gain();
        at.addAll(List.of((long) layer, update.a().getShape().get(0), gain == null ? 0L : 1L));
        scales.add(update.scaling());
        tensors.addAll(List.of(update.a(), update.b()));
        tensors.addAll(
                gain == null
                        ? List.of(GroupUpdates.nothing(), GroupUpdates.nothing())
                        : List.of(gain.magnitude(), gain.norm()));
    }

    /**
     * Prepares them.
     *
     * @param weight a base weight of the group, whose type they get
     */
    GroupUpdates build(NDArray weight) {
        if (tensors.isEmpty()) {
            return GroupUpdates.none();
        }
        try (TorchValue like = TorchValue.of(weight);
                TorchValue all = TorchValue.of(tensors);
                TorchValue ofParts = TorchValue.ofLongs(longs(counts))) {
            return new GroupUpdates(
                    changedLayers,
                    KERNELS.infer("prepare", like, all, ofParts),
                    longs(at),
                    scales.stream().mapToDouble(Double::doubleValue).toArray());
        }
    }

    private static long[] longs(List<Long> numbers) {
        return numbers.stream().mapToLong(Long::longValue).toArray();
    }
}
