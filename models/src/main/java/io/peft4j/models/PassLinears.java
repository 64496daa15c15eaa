package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;

/** The {@link StageLinears} of a stage in one pass, with what adapters add to them. */
final class PassLinears implements AutoCloseable {

    private final StageLinears linears;
    private final StageTensors base;
    private final List<GroupUpdates> updates;

    PassLinears(StageLinears linears, StageTensors base, List<GroupUpdates> updates) {
        this.linears = linears;
        this.base = base;
        this.updates = List.copyOf(updates);
    }

    /** Returns how many linear layers adapters change. */
    int changedLayers() {
        return updates.stream().mapToInt(GroupUpdates::changedLayers).sum();
    }

    /** Returns the tensors of all groups that require a gradient. */
    List<NDArray> trained() {
        List<NDArray> all = new ArrayList<>();
        updates.forEach(group -> all.addAll(group.trained()));
        return all;
    }

    /** Returns the tensors of a group that require a gradient. */
    List<NDArray> trained(int group) {
        return updates.get(group).trained();
    }

    /** Returns the width of a group's input. */
    long width(int group) {
        return linears.width(group);
    }

    TorchValue norms() {
        return base.norms();
    }

    TorchValue weights(int group) {
        return base.weights(group);
    }

    TorchValue biases(int group) {
        return base.biases(group);
    }

    GroupUpdates updates(int group) {
        return updates.get(group);
    }

    /**
     * Makes the masks of a group's dropout.
     *
     * @param owner whose device they will be on
     * @param rows how many rows the group's input has
     * @return the masks; free them with {@link GroupUpdates#free}
     */
    TorchValue keeps(NDManager owner, int group, long rows) {
        return updates.get(group).keeps(owner, new Shape(rows, linears.width(group)));
    }

    @Override
    public void close() {
        updates.forEach(GroupUpdates::close);
    }
}
