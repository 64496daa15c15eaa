package io.peft4j.models;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code tokenizer_config.json} says about special tokens and chats.
 *
 * @param specialTokens {@code bos_token} and its like by name
 * @param chatTemplate the Jinja text of the template named {@code default}, or the only one; null
 *     if there is none
 */
record TokenizerConfig(Map<String, String> specialTokens, @Nullable String chatTemplate) {

    private static final int MAX_BYTES = 16_000_000;
    private static final int MAX_DEPTH = 32;
    private static final List<String> SPECIAL =
            List.of("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token");

    /**
     * Reads the files beside a {@code tokenizer.json}. A {@code chat_template.jinja} wins over the
     * template in {@code tokenizer_config.json}, as in transformers.
     */
    static TokenizerConfig beside(Path tokenizerJson) throws IOException {
        Map<String, String> tokens = new LinkedHashMap<>();
        String template = null;
        Path config = tokenizerJson.resolveSibling("tokenizer_config.json");
        if (Files.exists(config)) {
            if (!(StrictJson.read(config, MAX_BYTES, MAX_DEPTH) instanceof JsonObject json)) {
                throw new TokenizerException(
                        config + ": expected a JSON object, found another value");
            }
            for (String name : SPECIAL) {
                String token = token(json.get(name));
                if (token != null) {
                    tokens.put(name, token);
                }
            }
            template = template(json.get("chat_template"));
        }
        Path jinja = tokenizerJson.resolveSibling("chat_template.jinja");
        if (Files.exists(jinja)) {
            template = Files.readString(jinja, StandardCharsets.UTF_8);
        }
        return new TokenizerConfig(tokens, template);
    }

    /** A token is a text or an object whose content is the text. */
    private static @Nullable String token(@Nullable JsonElement value) {
        JsonElement text = value instanceof JsonObject object ? object.get("content") : value;
        return text(text);
    }

    /** There is one template, or a list of named ones. */
    private static @Nullable String template(@Nullable JsonElement value) {
        if (!(value instanceof JsonArray array)) {
            return text(value);
        }
        for (JsonElement element : array) {
            if (element instanceof JsonObject object
                    && "default".equals(text(object.get("name")))) {
                return text(object.get("template"));
            }
        }
        return null;
    }

    private static @Nullable String text(@Nullable JsonElement value) {
        return value instanceof JsonPrimitive primitive && primitive.isString()
                ? primitive.getAsString()
                : null;
    }
}
