package io.peft4j.text;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.internal.LazilyParsedNumber;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Reads small JSON files whose author is not trusted: RFC 8259 to the letter, valid UTF-8, no key
 * twice, and limits on size and depth before anything is built.
 */
public final class StrictJson {

    private static final String ADVICE =
            "Use JsonReader.setStrictness(Strictness.LENIENT) to accept ";

    private StrictJson() {}

    /**
     * Reads a JSON file.
     *
     * @param file the file
     * @param maxBytes the largest size accepted
     * @param maxDepth how many objects and arrays may be open at once
     * @return the value
     * @throws StrictJsonException if the file is too large or not such a JSON text
     * @throws IOException if it cannot be read
     */
    public static JsonElement read(Path file, int maxBytes, int maxDepth) throws IOException {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(maxBytes);
            if (in.read() >= 0) {
                throw new StrictJsonException(
                        file + ": expected at most " + maxBytes + " bytes of JSON, found more");
            }
        }
        return parse(bytes, file.toString(), maxDepth);
    }

    /**
     * Parses a JSON text.
     *
     * @param utf8 the text
     * @param source what to call it in messages
     * @param maxDepth how many objects and arrays may be open at once
     * @return the value
     * @throws StrictJsonException if it is not such a JSON text
     */
    public static JsonElement parse(byte[] utf8, String source, int maxDepth)
            throws StrictJsonException {
        try (JsonReader reader = reader(utf8, 0, maxDepth)) {
            JsonElement value = value(reader, source);
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new StrictJsonException(source + ": expected one JSON value, found more");
            }
            return value;
        } catch (StrictJsonException e) {
            throw e;
        } catch (CharacterCodingException e) {
            throw new StrictJsonException(source + ": expected UTF-8, found other bytes", e);
        } catch (EOFException e) {
            throw new StrictJsonException(source + ": the JSON text ends too early", e);
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            throw new StrictJsonException(source + ": not valid JSON: " + firstLine(e), e);
        }
    }

    /**
     * Opens a streaming reader with the same strictness.
     *
     * @param utf8 the text
     * @param from where it begins in the array
     * @param maxDepth how many objects and arrays may be open at once
     * @return the reader; bad UTF-8 surfaces as {@link CharacterCodingException}
     */
    public static JsonReader reader(byte[] utf8, int from, int maxDepth) {
        JsonReader reader =
                new JsonReader(
                        new InputStreamReader(
                                new java.io.ByteArrayInputStream(utf8, from, utf8.length - from),
                                StandardCharsets.UTF_8
                                        .newDecoder()
                                        .onMalformedInput(CodingErrorAction.REPORT)
                                        .onUnmappableCharacter(CodingErrorAction.REPORT)));
        reader.setStrictness(Strictness.STRICT);
        reader.setNestingLimit(maxDepth);
        return reader;
    }

    /**
     * Returns the useful part of a parser's message.
     *
     * @param failure what the parser threw
     * @return its first line
     */
    public static String firstLine(Exception failure) {
        // the parser advises its programmer; the reader of the message has only the file
        String message = String.valueOf(failure.getMessage()).replace(ADVICE, "");
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }

    private static JsonElement value(JsonReader reader, String source) throws IOException {
        switch (reader.peek()) {
            case BEGIN_OBJECT -> {
                JsonObject object = new JsonObject();
                reader.beginObject();
                while (reader.hasNext()) {
                    String name = reader.nextName();
                    if (object.has(name)) {
                        throw new StrictJsonException(
                                source + ": expected each key once, found \"" + name + "\" again");
                    }
                    object.add(name, value(reader, source));
                }
                reader.endObject();
                return object;
            }
            case BEGIN_ARRAY -> {
                JsonArray array = new JsonArray();
                reader.beginArray();
                while (reader.hasNext()) {
                    array.add(value(reader, source));
                }
                reader.endArray();
                return array;
            }
            case STRING -> {
                return new JsonPrimitive(reader.nextString());
            }
            case NUMBER -> {
                return new JsonPrimitive(new LazilyParsedNumber(reader.nextString()));
            }
            case BOOLEAN -> {
                return new JsonPrimitive(reader.nextBoolean());
            }
            case NULL -> {
                reader.nextNull();
                return JsonNull.INSTANCE;
            }
            default -> throw new StrictJsonException(source + ": expected a JSON value");
        }
    }
}
