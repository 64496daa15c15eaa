package io.peft4j.models;

import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The norms and the groups of linear layers of a {@link Stage}, by number. */
final class StageLinears {

    private final List<Parameter> norms;
    private final List<LinearGroup> groups;
    private @Nullable StageTensors tensors;

    StageLinears(List<Parameter> norms, List<LinearGroup> groups) {
        this.norms = List.copyOf(norms);
        this.groups = List.copyOf(groups);
    }

    /**
     * Reads what adapters add in a pass.
     *
     * @param weights how parameters are read
     * @return the groups in this pass, to close; null if an adapter does what cannot be told so
     */
    @Nullable PassLinears begin(Weights weights) {
        List<GroupUpdates> updates = new ArrayList<>();
        for (LinearGroup group : groups) {
            GroupUpdates own = group.updates(weights);
            if (own == null) {
                updates.forEach(GroupUpdates::close);
                return null;
            }
            updates.add(own);
        }
        return new PassLinears(this, tensors(), updates);
    }

    private synchronized StageTensors tensors() {
        StageTensors now = StageTensors.of(tensors, norms, groups);
        tensors = now;
        return now;
    }

    /** Returns how many norms there are. */
    int norms() {
        return norms.size();
    }

    /** Returns the sizes of a group, by which memory is foretold. */
    GroupSize size(int group, UpdateShapes updates) {
        return groups.get(group).size(updates);
    }

    /** Returns the width of a group's input. */
    long width(int group) {
        return groups.get(group).weights().get(0).getShape().get(1);
    }
}
