package io.peft4j.models;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Predicate;

/**
 * A {@code config.json} behind typed getters that name file and key when a value is not what it
 * should be. A key that is absent and one that is {@code null} are alike.
 *
 * @param source what to call it in messages
 * @param json the object; not to be changed
 */
record ConfigJson(String source, JsonObject json) {

    private static final int MAX_LAYERS = 1000;

    boolean has(String key) {
        JsonElement value = json.get(key);
        return value != null && !value.isJsonNull();
    }

    Optional<String> string(String key) {
        return get(key, (k, value) -> primitive(k, value, "a string", p -> p.isString()))
                .map(JsonPrimitive::getAsString);
    }

    Optional<Boolean> flag(String key) {
        return get(key, (k, value) -> primitive(k, value, "true or false", p -> p.isBoolean()))
                .map(JsonPrimitive::getAsBoolean);
    }

    Optional<Double> number(String key) {
        return get(key, this::asNumber);
    }

    Optional<Integer> integer(String key) {
        return get(key, this::asInteger);
    }

    /** Reads a size, which must be there unless a default is given, and be at least one. */
    int size(String key, Integer... orElse) {
        Optional<Integer> value = integer(key);
        if (value.isEmpty() && orElse.length > 0) {
            return orElse[0];
        }
        int size = value.orElseThrow(() -> missing(key));
        if (size < 1) {
            throw wrong(key, "a whole number from 1", json.get(key));
        }
        return size;
    }

    /** Reads how many layers there are: blocks are built before a checkpoint can contradict. */
    int layerCount(String key, Integer... orElse) {
        int count = size(key, orElse);
        if (count > MAX_LAYERS) {
            throw wrong(key, "at most " + MAX_LAYERS, count);
        }
        return count;
    }

    /** Reads a number or a list of numbers; empty if there is none. */
    List<Double> numbers(String key) {
        List<Double> numbers = new ArrayList<>();
        elements(key).forEach(element -> numbers.add(asNumber(key, element)));
        return numbers;
    }

    /** Reads a list of strings; empty if there is none. */
    List<String> strings(String key) {
        List<String> strings = new ArrayList<>();
        elements(key)
                .forEach(
                        element ->
                                strings.add(
                                        primitive(key, element, "strings", JsonPrimitive::isString)
                                                .getAsString()));
        return strings;
    }

    /** Reads a whole number or a list of them; empty if there is none. */
    List<Integer> integers(String key) {
        List<Integer> integers = new ArrayList<>();
        elements(key).forEach(element -> integers.add(asInteger(key, element)));
        return integers;
    }

    /** Reads an object, whose own messages name this key too. */
    Optional<ConfigJson> object(String key) {
        if (!has(key)) {
            return Optional.empty();
        }
        if (json.get(key) instanceof JsonObject object) {
            return Optional.of(new ConfigJson(source + ": \"" + key + "\"", object));
        }
        throw wrong(key, "an object", json.get(key));
    }

    /** Returns a config of the same file without keys. */
    ConfigJson empty() {
        return new ConfigJson(source, new JsonObject());
    }

    /** Refuses all strings but some. */
    void require(String key, String orElse, Set<String> supported) {
        String value = string(key).orElse(orElse);
        if (!supported.contains(value)) {
            throw wrong(key, "one of " + new TreeSet<>(supported), "\"" + value + "\"");
        }
    }

    boolean isList(String key) {
        return json.get(key) instanceof JsonArray;
    }

    ModelConfigException missing(String key) {
        return new ModelConfigException(source + ": \"" + key + "\" is missing");
    }

    ModelConfigException wrong(String key, String expected, Object found) {
        return new ModelConfigException(
                source + ": \"" + key + "\": expected " + expected + ", found " + found);
    }

    private Iterable<JsonElement> elements(String key) {
        if (!has(key)) {
            return List.of();
        }
        JsonElement value = json.get(key);
        return value instanceof JsonArray array ? array : List.of(value);
    }

    private double asNumber(String key, JsonElement value) {
        double number = primitive(key, value, "a number", JsonPrimitive::isNumber).getAsDouble();
        if (!Double.isFinite(number)) {
            throw wrong(key, "a finite number", value);
        }
        return number;
    }

    private int asInteger(String key, JsonElement value) {
        double number = asNumber(key, value);
        if (number != Math.rint(number) || Math.abs(number) > Integer.MAX_VALUE) {
            throw wrong(key, "a whole number of 32 bits", value);
        }
        return (int) number;
    }

    private JsonPrimitive primitive(
            String key, JsonElement value, String expected, Predicate<JsonPrimitive> fits) {
        if (value instanceof JsonPrimitive primitive && fits.test(primitive)) {
            return primitive;
        }
        throw wrong(key, expected, value);
    }

    private <T> Optional<T> get(String key, BiFunction<String, JsonElement, T> read) {
        return has(key) ? Optional.of(read.apply(key, json.get(key))) : Optional.empty();
    }
}
