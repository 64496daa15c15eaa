package io.peft4j.models;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads how many ids a {@code tokenizer.json} has, without keeping its (many) entries. */
final class TokenizerVocabulary {

    private static final int MAX_DEPTH = 64;

    private long size;

    private TokenizerVocabulary() {}

    /** Returns the largest id in the model's vocabulary and among the added tokens, and one. */
    static int size(Path file) throws IOException {
        TokenizerVocabulary vocabulary = new TokenizerVocabulary();
        try (JsonReader reader =
                new JsonReader(Files.newBufferedReader(file, StandardCharsets.UTF_8))) {
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
            return Math.toIntExact(vocabulary.size);
        } catch (IllegalStateException | NumberFormatException | ArithmeticException e) {
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
            reader.beginObject();
            while (reader.hasNext()) {
                if (reader.nextName().equals("id")) {
                    size = Math.max(size, reader.nextLong() + 1);
                } else {
                    reader.skipValue();
                }
            }
            reader.endObject();
        }
        reader.endArray();
    }
}
