package io.peft4j.tuning;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.models.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Typed access to one row; every message begins with the file and line. A null is as absent.
 *
 * @param where the file and line, as {@link JsonLines} gives it
 * @param json the row
 */
public record RowFields(String where, JsonObject json) {

    private static final Pattern INTEGER = Pattern.compile("-?[0-9]{1,18}");

    /**
     * Tells whether a field is there.
     *
     * @param key its name
     * @return whether it is there and not null
     */
    public boolean has(String key) {
        return json.has(key) && !json.get(key).isJsonNull();
    }

    /**
     * Tells whether a field is a text.
     *
     * @param key its name
     * @return whether it is there and a string
     */
    public boolean isText(String key) {
        return has(key)
                && json.get(key).isJsonPrimitive()
                && json.get(key).getAsJsonPrimitive().isString();
    }

    /**
     * Reads a text.
     *
     * @param key the field's name
     * @return its string
     * @throws DatasetException if it is no string
     */
    public String text(String key) throws DatasetException {
        if (!isText(key)) {
            throw wrong(key, "a string", json.get(key));
        }
        return json.get(key).getAsString();
    }

    /**
     * Reads texts.
     *
     * @param key the field's name
     * @return its strings
     * @throws DatasetException if it is no list of strings
     */
    public List<String> texts(String key) throws DatasetException {
        List<String> texts = new ArrayList<>();
        for (JsonElement element : array(key, "a list of strings")) {
            if (!element.isJsonPrimitive() || !element.getAsJsonPrimitive().isString()) {
                throw wrong(key, "a list of strings", element);
            }
            texts.add(element.getAsString());
        }
        return texts;
    }

    /**
     * Reads an object.
     *
     * @param key the field's name
     * @return its fields
     * @throws DatasetException if it is no object
     */
    public RowFields object(String key) throws DatasetException {
        JsonElement value = json.get(key);
        if (value == null || !value.isJsonObject()) {
            throw wrong(key, "an object", value);
        }
        return new RowFields(where, value.getAsJsonObject());
    }

    /**
     * Reads a whole number, which may stand as a text of digits.
     *
     * @param key the field's name
     * @param least the smallest that is allowed
     * @param most the largest
     * @return the number
     * @throws DatasetException if it is no such number
     */
    public int wholeNumber(String key, int least, int most) throws DatasetException {
        JsonElement value = has(key) ? json.get(key) : null;
        if (value != null && value.isJsonPrimitive()) {
            String text = value.getAsString();
            if (INTEGER.matcher(text).matches()) {
                long number = Long.parseLong(text);
                if (number >= least && number <= most) {
                    return (int) number;
                }
            }
        }
        throw wrong(key, "a whole number from " + least + " to " + most, value);
    }

    /**
     * Reads whole numbers.
     *
     * @param key the field's name
     * @return its numbers
     * @throws DatasetException if it is no list of whole numbers
     */
    public long[] longs(String key) throws DatasetException {
        JsonArray array = array(key, "a list of whole numbers");
        long[] values = new long[array.size()];
        for (int i = 0; i < values.length; i++) {
            JsonElement element = array.get(i);
            if (!element.isJsonPrimitive()
                    || !element.getAsJsonPrimitive().isNumber()
                    || !INTEGER.matcher(element.getAsString()).matches()) {
                throw wrong(key, "a list of whole numbers", element);
            }
            values[i] = Long.parseLong(element.getAsString());
        }
        return values;
    }

    /**
     * Reads a number.
     *
     * @param key the field's name
     * @return its number
     * @throws DatasetException if it is no finite number
     */
    public double number(String key) throws DatasetException {
        JsonElement value = json.get(key);
        boolean isNumber =
                value != null && value.isJsonPrimitive() && value.getAsJsonPrimitive().isNumber();
        if (!isNumber || !Double.isFinite(value.getAsDouble())) {
            throw wrong(key, "a finite number", value);
        }
        return value.getAsDouble();
    }

    /**
     * Makes sure that a model has the tokens of a row.
     *
     * @param ids the tokens
     * @param vocabularySize they must be below it
     * @throws DatasetException if one is not; the message tells which
     */
    public void requireInVocabulary(long[] ids, long vocabularySize) throws DatasetException {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= vocabularySize) {
                throw refused(
                        "expected a token id from 0 to "
                                + (vocabularySize - 1)
                                + ", found "
                                + ids[i]
                                + " at position "
                                + i);
            }
        }
    }

    /** Reads a mask of zeros and ones, or of false and true, with an entry per token. */
    boolean[] mask(String key, int length) throws DatasetException {
        JsonArray array = array(key, "a list of 0 and 1");
        if (array.size() != length) {
            throw wrongLength(key, length, array.size());
        }
        boolean[] mask = new boolean[length];
        for (int i = 0; i < length; i++) {
            String value = array.get(i).toString();
            mask[i] = value.equals("1") || value.equals("true");
            if (!mask[i] && !value.equals("0") && !value.equals("false")) {
                throw wrong(key, "a list of 0 and 1", array.get(i));
            }
        }
        return mask;
    }

    /**
     * Reads a conversation: role and content, or ShareGPT's from and value.
     *
     * @param key the field's name
     * @return its messages, one at least
     * @throws DatasetException if it is no such list
     */
    public List<Message> messages(String key) throws DatasetException {
        List<Message> messages = new ArrayList<>();
        for (JsonElement element : array(key, "a list of messages")) {
            if (!element.isJsonObject()) {
                throw wrong(key, "a list of messages", element);
            }
            RowFields message = new RowFields(where, element.getAsJsonObject());
            if (message.has("tool_calls")) {
                throw refused("tool calls in messages are not supported");
            }
            messages.add(
                    new Message(
                            message.text(message.has("from") ? "from" : "role"),
                            message.text(message.has("value") ? "value" : "content")));
        }
        if (messages.isEmpty()) {
            throw refused("expected one message at least in \"" + key + "\", found none");
        }
        return messages;
    }

    /**
     * Makes an exception about this row.
     *
     * @param message what is wrong
     * @return the exception, to throw
     */
    public DatasetException refused(String message) {
        return new DatasetException(where + message);
    }

    DatasetException wrongLength(String key, int expected, int found) {
        return refused(
                "expected as many " + key + " as input_ids (" + expected + "), found " + found);
    }

    private JsonArray array(String key, String expected) throws DatasetException {
        JsonElement value = json.get(key);
        if (value == null || !value.isJsonArray()) {
            throw wrong(key, expected, value);
        }
        return value.getAsJsonArray();
    }

    private DatasetException wrong(String key, String expected, @Nullable JsonElement found) {
        String text = found == null ? "nothing" : found.toString();
        String shown = text.length() > 60 ? text.substring(0, 60) + "…" : text;
        return refused("expected \"" + key + "\" to be " + expected + ", found " + shown);
    }
}
