package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All layers, one after the other; their names are their numbers. */
final class LayerStack extends NamedBlock {

    private final List<DecoderLayer> layers = new ArrayList<>();

    LayerStack(Architecture architecture) {
        for (LayerShape shape : architecture.layers()) {
            layers.add(
                    addChildBlock(
                            Integer.toString(layers.size()),
                            new DecoderLayer(architecture, shape)));
        }
    }

    /** Describes the layers for a {@link LayerEngine}; null if they are left to autograd. */
    @Nullable List<Stage> stages(Architecture architecture) {
        List<Stage> stages = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            LayerShape shape = architecture.layers().get(i);
            Stage stage = layers.get(i).stage(i, shape, architecture.rotary());
            if (stage == null) {
                return null;
            }
            stages.add(stage);
        }
        return stages;
    }

    NDArray apply(NDManager owner, NDArray embedded, Pass pass) {
        NDArray h = embedded;
        for (int i = 0; i < layers.size(); i++) {
            KeyValueCache cache = pass.cache();
            NDArray next =
                    layers.get(i).apply(owner, h, pass, cache == null ? null : cache.layer(i));
            if (i > 0) {
                h.close();
            }
            h = next;
        }
        return h;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDManager owner = inputs.head().getManager();
        NDArray x = inputs.head();
        return new NDList(apply(owner, x, Pass.of(parameterStore, inputs, training)));
    }
}
