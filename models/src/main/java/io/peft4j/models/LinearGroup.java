package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptableEmbedding;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.LowRankUpdate;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Linear layers with one input, as the kernels of {@code projection.ts} take them. */
final class LinearGroup {

    /** How one layer is read. */
    private interface Layer {
        @Nullable List<LowRankUpdate> updates(Weights weights);
    }

    private final List<Parameter> weights = new ArrayList<>();
    private final List<@Nullable Parameter> biases = new ArrayList<>();
    private final List<Layer> layers = new ArrayList<>();

    private LinearGroup() {}

    static LinearGroup of(List<AdaptableLinear> linears) {
        LinearGroup group = new LinearGroup();
        for (AdaptableLinear linear : linears) {
            group.weights.add(linear.weight());
            group.biases.add(linear.bias());
            group.layers.add(w -> linear.lowRankUpdates(w.store(), w.device(), w.training()));
        }
        return group;
    }

    /** Returns the output head that is an embedding's table. */
    static LinearGroup tied(AdaptableEmbedding embedding) {
        LinearGroup group = new LinearGroup();
        group.weights.add(embedding.weight());
        group.biases.add(null);
        group.layers.add(w -> embedding.projectUpdates(w.store(), w.device(), w.training()));
        return group;
    }

    /** Returns the base's weights. */
    List<NDArray> weights() {
        return weights.stream().map(Parameter::getArray).toList();
    }

    /** Returns the base's tensors, weights and biases. */
    List<NDArray> arrays() {
        List<NDArray> arrays = new ArrayList<>(weights());
        for (Parameter bias : biases) {
            if (bias != null) {
                arrays.add(bias.getArray());
            }
        }
        return arrays;
    }

    /** Returns the biases, with an empty tensor where there is none. */
    List<NDArray> biases(NDManager owner) {
        List<NDArray> arrays = new ArrayList<>();
        for (Parameter bias : biases) {
            arrays.add(bias == null ? owner.create(new Shape(0)) : bias.getArray());
        }
        return arrays;
    }

    /** Returns the weight of a layer. */
    Parameter weight(int layer) {
        return weights.get(layer);
    }

    /** Returns the sizes by which memory is foretold; the weights need no values. */
    GroupSize size(UpdateShapes updates) {
        List<Long> outs = new ArrayList<>();
        List<GroupSize.Update> all = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            long out = weights.get(i).getShape().get(0);
            outs.add(out);
            updates.at(this, i).forEach(shape -> all.add(new GroupSize.Update(out, shape)));
        }
        boolean biased = biases.stream().anyMatch(Objects::nonNull);
        return new GroupSize(weights.get(0).getShape().get(1), outs, biased, all);
    }

    /** Reads what adapters add to a layer as far as memory depends on it. */
    List<LowRankShape> shapes(int layer, Weights pass) {
        List<LowRankUpdate> updates = layers.get(layer).updates(pass);
        return updates == null
                ? List.of()
                : updates.stream()
                        .map(
                                update ->
                                        new LowRankShape(
                                                Math.toIntExact(update.a().getShape().get(0)),
                                                update.gain() != null,
                                                update.dropout() > 0))
                        .toList();
    }

    /**
     * Reads what adapters add in a pass.
     *
     * @return the updates, prepared unless backward may follow; null if they cannot be told as such
     */
    @Nullable GroupUpdates updates(Weights pass) {
        return pass.training() ? trained(pass) : prepared(pass);
    }

    private @Nullable GroupUpdates trained(Weights pass) {
        List<List<LowRankUpdate>> updates = read(pass);
        if (updates == null) {
            return null;
        }
        GroupUpdates.Builder builder = new GroupUpdates.Builder();
        for (int i = 0; i < updates.size(); i++) {
            if (!builder.add(i, updates.get(i))) {
                return null;
            }
        }
        return builder.build(true);
    }

    private @Nullable GroupUpdates prepared(Weights pass) {
        PreparedUpdates prepared = new PreparedUpdates(pass.partsOrWhole());
        for (Weights.Part part : pass.partsOrWhole()) {
            List<List<LowRankUpdate>> updates = read(part.weights());
            if (updates == null || !prepared.add(part, updates)) {
                return null;
            }
        }
        return prepared.build(weights.get(0).getArray());
    }

    private @Nullable List<List<LowRankUpdate>> read(Weights pass) {
        List<List<LowRankUpdate>> all = new ArrayList<>();
        for (Layer layer : layers) {
            List<LowRankUpdate> updates = layer.updates(pass);
            if (updates == null) {
                return null;
            }
            all.add(updates);
        }
        return all;
    }
}
