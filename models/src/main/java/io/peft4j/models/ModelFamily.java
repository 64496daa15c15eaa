package io.peft4j.models;

import com.google.gson.JsonObject;
import java.util.List;

/**
 * A kind of decoder: reads its {@code config.json} into the {@link Architecture} of the one
 * decoder. A new family is one implementation and an entry in {@link ModelFamilies}.
 */
interface ModelFamily {

    /** Returns the {@code model_type} that this family's files carry. */
    String modelType();

    /** Returns the names of all linear layers but the head, the default targets of adapters. */
    List<String> targetModules();

    /**
     * Reads the architecture.
     *
     * @throws ModelConfigException if the config is not one of this family, or uses what the
     *     decoder does not have
     */
    Architecture architecture(ConfigJson config);

    /** Says in a {@code config.json} that the output head has a weight of its own. */
    default void untie(JsonObject json) {
        json.addProperty("tie_word_embeddings", false);
    }
}
