package io.peft4j.models;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import org.jspecify.annotations.Nullable;

/**
 * A token that is looked for in the text itself, before it is split.
 *
 * @param content its text
 * @param lstrip whether it takes the space before it
 * @param rstrip whether it takes the space behind it
 * @param singleWord whether it counts only as a word of its own
 * @param normalized whether it is looked for after the text was normalised
 * @param special whether decoding may leave it out
 */
record AddedToken(
        String content,
        boolean lstrip,
        boolean rstrip,
        boolean singleWord,
        boolean normalized,
        boolean special) {

    static AddedToken special(String content) {
        return new AddedToken(content, false, false, false, false, true);
    }

    AddedToken asSpecial() {
        return new AddedToken(content, lstrip, rstrip, singleWord, normalized, true);
    }

    /** Reads a token with the defaults of transformers; null if it is none. */
    static @Nullable AddedToken read(@Nullable JsonElement element) {
        if (!(element instanceof JsonObject json)
                || !(json.get("content") instanceof JsonPrimitive content)
                || !content.isString()) {
            return null;
        }
        boolean special = flag(json, "special", false);
        return new AddedToken(
                content.getAsString(),
                flag(json, "lstrip", false),
                flag(json, "rstrip", false),
                flag(json, "single_word", false),
                flag(json, "normalized", !special),
                special);
    }

    private static boolean flag(JsonObject json, String key, boolean orElse) {
        return (json.get(key) instanceof JsonPrimitive value && value.isBoolean())
                ? value.getAsBoolean()
                : orElse;
    }

    JsonObject json(long id) {
        JsonObject json = new JsonObject();
        json.addProperty("id", id);
        json.addProperty("content", content);
        json.addProperty("single_word", singleWord);
        json.addProperty("lstrip", lstrip);
        json.addProperty("rstrip", rstrip);
        json.addProperty("normalized", normalized);
        json.addProperty("special", special);
        return json;
    }
}
