package io.peft4j.models;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;

/**
 * A kind of decoder: reads its {@code config.json} into the {@link Architecture} of the one
 * decoder. A new family is one implementation and an entry in {@link ModelFamilies}.
 */
interface ModelFamily {

    /** Returns the {@code model_type} that this family's files carry. */
    String modelType();

    /**
     * Returns the default targets of adapters: the names of all linear layers but the head, without
     * the experts of a mixture.
     */
    List<String> targetModules();

    /**
     * Returns the default targets of (IA)³, arXiv:2205.05638: what makes keys and values, with the
     * queries where they are fused, and the feed-forward network's last layer, of all experts.
     *
     * @param names the family's modules
     */
    default List<String> ia3TargetModules(ModuleNames names) {
        List<String> all = names.queryKeyValue();
        List<String> targets = new ArrayList<>(all.size() == 3 ? all.subList(1, 3) : all);
        targets.add(names.down());
        return targets;
    }

    /**
     * Reads the architecture.
     *
     * @throws ModelConfigException if the config is not one of this family, or uses what the
     *     decoder does not have
     */
    Architecture architecture(ConfigJson config);

    /**
     * Returns how checkpoints may keep the parameters beside {@link CheckpointLayout#PLAIN}.
     *
     * @param architecture what {@link #architecture} read
     */
    default List<CheckpointLayout> fusedLayouts(Architecture architecture) {
        return List.of();
    }

    /** Says in a {@code config.json} that the output head has a weight of its own. */
    default void untie(JsonObject json) {
        json.addProperty("tie_word_embeddings", false);
    }
}
