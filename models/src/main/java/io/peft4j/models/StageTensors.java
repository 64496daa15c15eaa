package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** The base's tensors of a {@link LayerStage}, as its kernels take them. */
final class StageTensors implements AutoCloseable {

    private final List<NDArray> arrays;
    private final TorchValue norms;
    private final List<TorchValue> groups = new ArrayList<>(); // weights and biases in turn

    private StageTensors(List<NDArray> arrays, List<Parameter> norms, List<LinearGroup> groups) {
        this.arrays = arrays;
        this.norms = TorchValue.of(norms.stream().map(Parameter::getArray).toList());
        try (NDManager scope = arrays.get(0).getManager().newSubManager()) {
            for (LinearGroup group : groups) {
                this.groups.add(TorchValue.of(group.weights()));
                this.groups.add(TorchValue.of(group.biases(scope)));
            }
        }
    }

    /**
     * Takes the tensors as they are now.
     *
     * @param known what was taken before, which is returned if no parameter has become another
     *     array since; null for nothing
     */
    static StageTensors of(
            @Nullable StageTensors known, List<Parameter> norms, List<LinearGroup> groups) {
        List<NDArray> now = new ArrayList<>();
        norms.forEach(norm -> now.add(norm.getArray()));
        groups.forEach(group -> now.addAll(group.arrays()));
        if (known != null && known.isOf(now)) {
            return known;
        }
        StageTensors tensors = new StageTensors(now, norms, groups);
        // an older one may be in use by another thread: they go with the model
        now.get(0).getManager().attachInternal(UUID.randomUUID().toString(), tensors);
        return tensors;
    }

    private boolean isOf(List<NDArray> now) {
        for (int i = 0; i < now.size(); i++) {
            if (now.get(i) != arrays.get(i)) {
                return false;
            }
        }
        return true;
    }

    TorchValue norms() {
        return norms;
    }

    TorchValue weights(int group) {
        return groups.get(2 * group);
    }

    TorchValue biases(int group) {
        return groups.get(2 * group + 1);
    }

    @Override
    public void close() {
        norms.close();
        groups.forEach(TorchValue::close);
    }
}
