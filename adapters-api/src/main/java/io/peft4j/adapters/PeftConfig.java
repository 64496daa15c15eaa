package io.peft4j.adapters;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The content of an {@code adapter_config.json}, read through typed getters that name the key when
 * a value is not what it should be. A key that is absent and one that is {@code null} are alike.
 *
 * @param source what to call it in messages, such as the file's path
 * @param json the object; not to be changed
 */
public record PeftConfig(String source, JsonObject json) {

    /**
     * Reads a directory's settings, of whatever method.
     *
     * @param directory a directory in PEFT's format
     * @return the content of its {@code adapter_config.json}
     * @throws AdapterConfigException if it is no JSON object
     * @throws IOException if the file cannot be read
     */
    public static PeftConfig read(Path directory) throws IOException {
        return AdapterFiles.readConfig(directory);
    }

    /**
     * Reads a text.
     *
     * @param key the key
     * @return the text, if there is one
     */
    public Optional<String> string(String key) {
        return value(key)
                .map(
                        v -> {
                            if (!v.isJsonPrimitive() || !v.getAsJsonPrimitive().isString()) {
                                throw wrong(key, "a string", v);
                            }
                            return v.getAsString();
                        });
    }

    /**
     * Reads a truth value.
     *
     * @param key the key
     * @return the value; false if there is none
     */
    public boolean flag(String key) {
        return value(key)
                .map(
                        v -> {
                            if (!v.isJsonPrimitive() || !v.getAsJsonPrimitive().isBoolean()) {
                                throw wrong(key, "true or false", v);
                            }
                            return v.getAsBoolean();
                        })
                .orElse(false);
    }

    /**
     * Reads a number.
     *
     * @param key the key
     * @return the number, if there is one
     */
    public Optional<Double> number(String key) {
        return value(key).map(v -> asNumber(key, v));
    }

    /**
     * Reads a whole number.
     *
     * @param key the key
     * @return the number, if there is one
     */
    public Optional<Integer> integer(String key) {
        return value(key).map(v -> asInteger(key, v));
    }

    /**
     * Reads a text or a list of texts.
     *
     * @param key the key
     * @return the texts; empty if there are none
     */
    public List<String> strings(String key) {
        List<String> strings = new ArrayList<>();
        for (JsonElement element : elements(key)) {
            if (!element.isJsonPrimitive() || !element.getAsJsonPrimitive().isString()) {
                throw wrong(key, "a string or a list of strings", element);
            }
            strings.add(element.getAsString());
        }
        return strings;
    }

    /**
     * Reads a whole number or a list of them.
     *
     * @param key the key
     * @return the numbers; empty if there are none
     */
    public List<Integer> integers(String key) {
        List<Integer> integers = new ArrayList<>();
        for (JsonElement element : elements(key)) {
            integers.add(asInteger(key, element));
        }
        return integers;
    }

    /**
     * Reads an object of whole numbers.
     *
     * @param key the key
     * @return the numbers in file order; empty if there are none
     */
    public Map<String, Integer> wholeNumbers(String key) {
        Map<String, Integer> whole = new LinkedHashMap<>();
        numbers(key)
                .forEach((k, n) -> whole.put(k, asInteger(key + "." + k, new JsonPrimitive(n))));
        return whole;
    }

    /**
     * Reads an object of numbers.
     *
     * @param key the key
     * @return the numbers in file order; empty if there are none
     */
    public Map<String, Double> numbers(String key) {
        Map<String, Double> numbers = new LinkedHashMap<>();
        value(key)
                .ifPresent(
                        v -> {
                            if (!v.isJsonObject()) {
                                throw wrong(key, "an object of numbers", v);
                            }
                            v.getAsJsonObject()
                                    .asMap()
                                    .forEach((k, n) -> numbers.put(k, asNumber(key + "." + k, n)));
                        });
        return numbers;
    }

    /**
     * Reads an object whose values are lists of whole numbers; a bare list has the empty key.
     *
     * @param key the key
     * @return the lists in file order; empty if there are none
     */
    public Map<String, List<Integer>> integerLists(String key) {
        Map<String, List<Integer>> lists = new LinkedHashMap<>();
        value(key)
                .ifPresent(
                        v -> {
                            if (v.isJsonArray()) {
                                lists.put("", integers(key));
                            } else if (v.isJsonObject()) {
                                v.getAsJsonObject()
                                        .asMap()
                                        .forEach((k, l) -> lists.put(k, list(key + "." + k, l)));
                            } else {
                                throw wrong(key, "a list, or an object of lists", v);
                            }
                        });
        return lists;
    }

    private List<Integer> list(String key, JsonElement element) {
        if (!element.isJsonArray()) {
            throw wrong(key, "a list of whole numbers", element);
        }
        return element.getAsJsonArray().asList().stream().map(e -> asInteger(key, e)).toList();
    }

    /**
     * Tells whether a key holds a value other than null.
     *
     * @param key the key
     * @return whether it does
     */
    public boolean has(String key) {
        return value(key).isPresent();
    }

    /**
     * Refuses a setting that this library does not carry out, unless it has a harmless value.
     *
     * @param key the key
     * @param harmless the values that change nothing, as JSON text; null and absent always are
     * @throws AdapterConfigException if the value is another
     */
    public void requireUnused(String key, Set<String> harmless) {
        value(key)
                .filter(v -> !harmless.contains(v.toString()))
                .ifPresent(
                        v -> {
                            throw new AdapterConfigException(
                                    source + ": \"" + key + "\": " + v + " is not supported");
                        });
    }

    /** Tells whether a key holds something else than nothing, false or an empty collection. */
    boolean isSet(String key) {
        return value(key)
                .filter(v -> !(v.isJsonArray() && v.getAsJsonArray().isEmpty()))
                .filter(v -> !(v.isJsonObject() && v.getAsJsonObject().isEmpty()))
                .filter(v -> !v.equals(new JsonPrimitive(false)))
                .isPresent();
    }

    private Optional<JsonElement> value(String key) {
        @Nullable JsonElement element = json.get(key);
        return element == null || element.isJsonNull() ? Optional.empty() : Optional.of(element);
    }

    private List<JsonElement> elements(String key) {
        return value(key)
                .map(v -> v.isJsonArray() ? v.getAsJsonArray().asList() : List.of(v))
                .orElse(List.of());
    }

    private double asNumber(String key, JsonElement element) {
        if (element.isJsonPrimitive() && element.getAsJsonPrimitive().isNumber()) {
            double number = element.getAsDouble();
            if (Double.isFinite(number)) {
                return number;
            }
        }
        throw wrong(key, "a number", element);
    }

    private int asInteger(String key, JsonElement element) {
        double number = asNumber(key, element);
        if (number != Math.rint(number) || Math.abs(number) > Integer.MAX_VALUE) {
            throw wrong(key, "a whole number", element);
        }
        return (int) number;
    }

    private AdapterConfigException wrong(String key, String expected, JsonElement found) {
        return new AdapterConfigException(
                source + ": \"" + key + "\" must be " + expected + ", but is " + found);
    }

    /**
     * Starts a new config.
     *
     * @param peftType PEFT's name of the method's family, such as {@code LORA}
     * @return the builder
     */
    public static Builder builder(String peftType) {
        return new Builder().opt("peft_type", peftType);
    }

    /** Collects settings under PEFT's names. */
    public static final class Builder {

        private final JsonObject json = new JsonObject();

        private Builder() {}

        /**
         * Sets a value.
         *
         * @param key PEFT's name
         * @param value a string, number, boolean, list or map of these, or null; whole numbers are
         *     written without a fraction
         * @return this builder
         */
        public Builder opt(String key, @Nullable Object value) {
            json.add(key, toJson(value));
            return this;
        }

        /**
         * Takes a setting out again, as one that {@link TargetModules#writeTo} writes and the
         * method does not have.
         *
         * @param key PEFT's name
         * @return this builder
         */
        public Builder without(String key) {
            json.remove(key);
            return this;
        }

        private static JsonElement toJson(@Nullable Object value) {
            if (value == null) {
                return JsonNull.INSTANCE;
            }
            if (value instanceof String string) {
                return new JsonPrimitive(string);
            }
            if (value instanceof Boolean flag) {
                return new JsonPrimitive(flag);
            }
            if (value instanceof Number number) {
                double wide = number.doubleValue();
                boolean whole = wide == Math.rint(wide) && Math.abs(wide) < 1e15;
                return new JsonPrimitive(whole ? (Number) (long) wide : number);
            }
            if (value instanceof List<?> list) {
                JsonArray array = new JsonArray();
                list.forEach(element -> array.add(toJson(element)));
                return array;
            }
            if (value instanceof Map<?, ?> map) {
                JsonObject object = new JsonObject();
                map.forEach((k, v) -> object.add(k.toString(), toJson(v)));
                return object;
            }
            throw new IllegalArgumentException("no JSON form for " + value.getClass());
        }

        /**
         * Builds the config.
         *
         * @return the config
         */
        public PeftConfig build() {
            return new PeftConfig("this adapter", json);
        }
    }
}
