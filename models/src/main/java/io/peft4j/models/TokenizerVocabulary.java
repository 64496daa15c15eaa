package io.peft4j.models;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What is to be known of a {@code tokenizer.json} before it is loaded: how many ids it has, and its
 * added tokens; its (many) other entries are not kept.
 */
final class TokenizerVocabulary {

    private static final int MAX_DEPTH = 64;

    private final List<AddedToken> addedTokens = new ArrayList<>();
    private long size;

    private TokenizerVocabulary() {}

    /** Returns the largest id in the model's vocabulary and among the added tokens, and one. */
    int size() {
        return Math.toIntExact(size);
    }

    List<AddedToken> addedTokens() {
        return addedTokens;
    }

    static TokenizerVocabulary read(Path file) throws IOException {
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            return read(file.toString(), reader);
        }
    }

    static TokenizerVocabulary read(String file, Reader source) throws IOException {
        TokenizerVocabulary vocabulary = new TokenizerVocabulary();
        try (JsonReader reader = new JsonReader(source)) {
            reader.setNestingLimit(MAX_DEPTH);
            reader.beginObject();
            while (reader.hasNext()) {
                switch (reader.nextName()) {
                    case "model" -> vocabulary.readModel(reader);
                    case "added_tokens" -> vocabulary.readAddedTokens(reader);
                    default -> reader.skipValue();
                }
            }
            reader.endObject();
            vocabulary.size(); // an int
            return vocabulary;
        } catch (RuntimeException e) { // what gson throws for another shape is of many kinds
            throw new TokenizerException(file + ": not a tokenizer: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new TokenizerException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private void readModel(JsonReader reader) throws IOException {
        reader.beginObject();
        while (reader.hasNext()) {
            if (!reader.nextName().equals("vocab")) {
                reader.skipValue();
            } else if (reader.peek() == JsonToken.BEGIN_OBJECT) {
                readIds(reader);
            } else {
                readList(reader);
            }
        }
        reader.endObject();
    }

    /** {@code {"token": id, …}} */
    private void readIds(JsonReader reader) throws IOException {
        reader.beginObject();
        while (reader.hasNext()) {
            reader.skipValue(); // the name
            size = Math.max(size, reader.nextLong() + 1);
        }
        reader.endObject();
    }

    /** {@code [["token", score], …]}, as Unigram has it: the id is the place in the list. */
    private void readList(JsonReader reader) throws IOException {
        reader.beginArray();
        long count = 0;
        while (reader.hasNext()) {
            reader.skipValue();
            count++;
        }
        reader.endArray();
        size = Math.max(size, count);
    }

    private void readAddedTokens(JsonReader reader) throws IOException {
        reader.beginArray();
        while (reader.hasNext()) {
            JsonObject entry = JsonParser.parseReader(reader).getAsJsonObject();
            if (!entry.has("id")) {
                throw new IllegalStateException("expected an id in each of the added_tokens");
            }
            size = Math.max(size, entry.get("id").getAsLong() + 1);
            AddedToken token = AddedToken.read(entry);
            if (token != null) {
                addedTokens.add(token);
            }
        }
        reader.endArray();
    }
}
