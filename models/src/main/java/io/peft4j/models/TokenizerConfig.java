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
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the files beside a {@code tokenizer.json} say about special tokens and chats.
 *
 * @param specialTokens {@code bos_token} and its like by name
 * @param addedTokens what {@code tokenizer_config.json} adds to, or changes of, the tokens of
 *     {@code tokenizer.json}, in the order of their ids
 * @param extraTokens further special tokens, without a name
 * @param chatTemplates the Jinja texts by name; the only one is {@code default}
 */
record TokenizerConfig(
        Map<String, String> specialTokens,
        List<AddedToken> addedTokens,
        List<String> extraTokens,
        Map<String, String> chatTemplates) {

    private static final String DEFAULT = "default";
    private static final int MAX_BYTES = 16_000_000;
    private static final int MAX_DEPTH = 32;
    private static final List<String> SPECIAL =
            List.of(
                    "bos_token",
                    "eos_token",
                    "unk_token",
                    "sep_token",
                    "pad_token",
                    "cls_token",
                    "mask_token");

    /**
     * Reads the files, as transformers does: {@code special_tokens_map.json} counts where {@code
     * tokenizer_config.json} has no {@code added_tokens_decoder}; a {@code chat_template.jinja}
     * wins over {@code tokenizer_config.json}, and that over {@code chat_template.json}.
     */
    static TokenizerConfig beside(Path tokenizerJson) throws IOException {
        JsonObject config = object(tokenizerJson.resolveSibling("tokenizer_config.json"));
        JsonObject names = config.deepCopy();
        if (!config.has("added_tokens_decoder")) {
            object(tokenizerJson.resolveSibling("special_tokens_map.json"))
                    .asMap()
                    .forEach(names::add);
        }
        Map<String, String> tokens = new LinkedHashMap<>();
        for (String name : SPECIAL) {
            String token = token(names.get(name));
            if (token != null) {
                tokens.put(name, token);
            }
        }
        return new TokenizerConfig(
                tokens, added(config), extra(names), templates(tokenizerJson, config));
    }

    private static JsonObject object(Path file) throws IOException {
        if (!Files.exists(file)) {
            return new JsonObject();
        }
        if (StrictJson.read(file, MAX_BYTES, MAX_DEPTH) instanceof JsonObject json) {
            return json;
        }
        throw new TokenizerException(file + ": expected a JSON object, found another value");
    }

    private static List<AddedToken> added(JsonObject config) {
        Map<Long, AddedToken> byId = new TreeMap<>();
        if (config.get("added_tokens_decoder") instanceof JsonObject tokens) {
            tokens.asMap()
                    .forEach(
                            (id, element) -> {
                                AddedToken token = AddedToken.read(element);
                                if (token != null && id.matches("\\d{1,9}")) {
                                    byId.put(Long.valueOf(id), token);
                                }
                            });
        }
        return List.copyOf(byId.values());
    }

    private static List<String> extra(JsonObject names) {
        List<String> tokens = new ArrayList<>();
        for (String key : List.of("extra_special_tokens", "additional_special_tokens")) {
            if (tokens.isEmpty() && names.get(key) instanceof JsonArray array) {
                for (JsonElement element : array) {
                    String token = token(element);
                    if (token != null) {
                        tokens.add(token);
                    }
                }
            }
        }
        return tokens;
    }

    private static Map<String, String> templates(Path tokenizerJson, JsonObject config)
            throws IOException {
        Path jinja = tokenizerJson.resolveSibling("chat_template.jinja");
        if (Files.exists(jinja)) {
            return Map.of(DEFAULT, Files.readString(jinja, StandardCharsets.UTF_8));
        }
        Map<String, String> templates = named(config.get("chat_template"));
        return templates.isEmpty()
                ? named(
                        object(tokenizerJson.resolveSibling("chat_template.json"))
                                .get("chat_template"))
                : templates;
    }

    /** There is one template, or a list of named ones, or an object of them. */
    private static Map<String, String> named(@Nullable JsonElement value) {
        Map<String, String> templates = new LinkedHashMap<>();
        String only = text(value);
        if (only != null) {
            templates.put(DEFAULT, only);
        } else if (value instanceof JsonArray array) {
            for (JsonElement element : array) {
                if (element instanceof JsonObject object) {
                    put(templates, text(object.get("name")), text(object.get("template")));
                }
            }
        } else if (value instanceof JsonObject object) {
            object.asMap().forEach((name, template) -> put(templates, name, text(template)));
        }
        return templates;
    }

    private static void put(
            Map<String, String> templates, @Nullable String name, @Nullable String template) {
        if (name != null && template != null) {
            templates.put(name, template);
        }
    }

    /** Returns the template that is used unless another is named, or null. */
    @Nullable String chatTemplate() {
        return chatTemplates.get(DEFAULT);
    }

    /** A token is a text or an object whose content is the text. */
    private static @Nullable String token(@Nullable JsonElement value) {
        JsonElement text = value instanceof JsonObject object ? object.get("content") : value;
        return text(text);
    }

    private static @Nullable String text(@Nullable JsonElement value) {
        return value instanceof JsonPrimitive primitive && primitive.isString()
                ? primitive.getAsString()
                : null;
    }
}
