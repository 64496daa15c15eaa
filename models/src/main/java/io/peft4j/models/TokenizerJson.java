package io.peft4j.models;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A {@code tokenizer.json} with the special tokens that only the files beside it name, or name
 * otherwise. transformers adds them when it loads a tokenizer; the tokenizers library alone does
 * not.
 */
final class TokenizerJson {

    private final JsonObject json;
    private final Map<String, Long> ids = new LinkedHashMap<>();

    private TokenizerJson(JsonObject json) {
        this.json = json;
    }

    /** Returns the changed file; empty if nothing is to be changed. */
    static Optional<String> with(Path file, TokenizerVocabulary known, TokenizerConfig config)
            throws IOException {
        List<AddedToken> missing = missing(known, config);
        if (missing.isEmpty()) {
            return Optional.empty();
        }
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            TokenizerJson changed =
                    new TokenizerJson(JsonParser.parseReader(reader).getAsJsonObject());
            changed.readIds();
            missing.forEach(changed::put);
            return Optional.of(changed.json.toString());
        } catch (RuntimeException e) {
            throw new TokenizerException(file + ": not a tokenizer: " + e.getMessage(), e);
        }
    }

    private static List<AddedToken> missing(TokenizerVocabulary known, TokenizerConfig config) {
        Map<String, AddedToken> missing = new LinkedHashMap<>();
        for (AddedToken token : config.addedTokens()) {
            if (!known.addedTokens().contains(token)) {
                boolean named = config.specialTokens().containsValue(token.content());
                missing.put(token.content(), named ? token.asSpecial() : token);
            }
        }
        List<String> names = new ArrayList<>(config.specialTokens().values());
        names.addAll(config.extraTokens());
        for (String name : names) {
            boolean isKnown =
                    known.addedTokens().stream().anyMatch(token -> token.content().equals(name));
            if (!isKnown) {
                missing.putIfAbsent(name, AddedToken.special(name));
            }
        }
        return List.copyOf(missing.values());
    }

    private void readIds() {
        JsonElement vocabulary = json.getAsJsonObject("model").get("vocab");
        if (vocabulary instanceof JsonObject object) {
            object.asMap().forEach((token, id) -> ids.put(token, id.getAsLong()));
        } else if (vocabulary instanceof JsonArray array) {
            for (JsonElement entry : array) {
                ids.put(entry.getAsJsonArray().get(0).getAsString(), (long) ids.size());
            }
        }
        for (JsonElement element : added()) {
            JsonObject token = element.getAsJsonObject();
            ids.put(token.get("content").getAsString(), token.get("id").getAsLong());
        }
    }

    private JsonArray added() {
        if (!(json.get("added_tokens") instanceof JsonArray array)) {
            json.add("added_tokens", new JsonArray());
            return json.getAsJsonArray("added_tokens");
        }
        return array;
    }

    /** A known text keeps its id; a new one gets the next. */
    private void put(AddedToken token) {
        Long known = ids.get(token.content());
        long id =
                known != null
                        ? known
                        : ids.values().stream().mapToLong(Long::longValue).max().orElse(-1) + 1;
        ids.put(token.content(), id);
        JsonArray tokens = new JsonArray();
        AddedToken placed = token;
        for (JsonElement element : added()) {
            AddedToken other = AddedToken.read(element);
            if (other == null || !other.content().equals(token.content())) {
                tokens.add(element);
            } else if (other.special()) {
                placed = token.asSpecial(); // once special, always special
            }
        }
        tokens.add(placed.json(id));
        json.add("added_tokens", tokens);
    }
}
