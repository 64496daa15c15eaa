package io.peft4j.adapters;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The two directions between {@link PeftConfig} and its JSON. */
final class PeftConfigJson {

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create();

    /** Keys that only say how an adapter came to be, or that PEFT keeps for itself. */
    private static final Set<String> HARMLESS =
            Set.of(
                    "auto_mapping",
                    "corda_config",
                    "ensure_weight_tying",
                    "eva_config",
                    "loftq_config",
                    "lora_ga_config",
                    "megatron_core",
                    "peft_version",
                    "qalora_group_size",
                    "runtime_config");

    private final JsonObject json;
    private final String source;

    private PeftConfigJson(JsonObject json, String source) {
        this.json = json.deepCopy();
        this.source = source;
    }

    static PeftConfig parse(JsonElement root, String source) {
        if (!(root instanceof JsonObject object)) {
            throw new AdapterConfigException(
                    source + ": expected a JSON object, found " + kind(root));
        }
        PeftConfigJson reader = new PeftConfigJson(object, source);
        try {
            return reader.parse();
        } catch (AdapterConfigException e) {
            String message = String.valueOf(e.getMessage());
            throw message.startsWith(source)
                    ? e
                    : new AdapterConfigException(source + ": " + message, e);
        }
    }

    private PeftConfig parse() {
        if (!json.has("peft_type")) {
            throw wrong("peft_type", "the method, such as \"LORA\"", JsonNull.INSTANCE);
        }
        PeftConfig.Builder config = PeftConfig.builder().optInferenceMode(false);
        take("peft_type", this::string, config::optPeftType);
        take("task_type", this::string, config::optTaskType);
        take("base_model_name_or_path", this::string, config::optBaseModel);
        take("revision", this::string, config::optRevision);
        take("inference_mode", this::flag, config::optInferenceMode);
        take("r", this::integer, config::optRank);
        take("lora_alpha", this::number, config::optAlpha);
        take("lora_dropout", this::number, config::optDropout);
        take("bias", this::string, config::optBias);
        take("fan_in_fan_out", this::flag, config::optFanInFanOut);
        take("target_modules", this::filter, config::optTargetModules);
        take("exclude_modules", this::filter, config::optExcludeModules);
        take("modules_to_save", list(this::string), config::optModulesToSave);
        take("init_lora_weights", this::initialization, config::optInitialization);
        take("layers_to_transform", list(this::integer), config::optLayersToTransform);
        take("layers_pattern", list(this::string), this::withoutEmpty, config::optLayersPattern);
        take("rank_pattern", map(this::integer), config::optRankPattern);
        take("alpha_pattern", map(this::number), config::optAlphaPattern);
        take("use_rslora", this::flag, config::optRslora);
        take("use_dora", this::flag, config::optDora);
        return config.otherKeys(json.asMap()).build();
    }

    private interface Reading<T> {
        T read(String key, JsonElement value);
    }

    private <T> void take(String key, Reading<T> reading, Consumer<T> set) {
        take(key, reading, value -> value, set);
    }

    /** An absent key and null keep PEFT's default. */
    private <T> void take(String key, Reading<T> reading, Function<T, T> map, Consumer<T> set) {
        JsonElement value = json.remove(key);
        if (value != null && !value.isJsonNull()) {
            set.accept(map.apply(reading.read(key, value)));
        }
    }

    private String string(String key, JsonElement value) {
        if (value instanceof JsonPrimitive primitive && primitive.isString()) {
            return primitive.getAsString();
        }
        throw wrong(key, "a string", value);
    }

    private boolean flag(String key, JsonElement value) {
        if (value instanceof JsonPrimitive primitive && primitive.isBoolean()) {
            return primitive.getAsBoolean();
        }
        throw wrong(key, "true or false", value);
    }

    private double number(String key, JsonElement value) {
        if (value instanceof JsonPrimitive primitive && primitive.isNumber()) {
            return primitive.getAsDouble();
        }
        throw wrong(key, "a number", value);
    }

    private int integer(String key, JsonElement value) {
        if (value instanceof JsonPrimitive primitive && primitive.isNumber()) {
            try {
                return Integer.parseInt(primitive.getAsString());
            } catch (NumberFormatException e) {
                // 8.0 and 1e1 are no integers to PEFT either: reported below
            }
        }
        throw wrong(key, "an integer", value);
    }

    private String initialization(String key, JsonElement value) {
        if (value instanceof JsonPrimitive primitive && !primitive.isNumber()) {
            return primitive.getAsString();
        }
        throw wrong(key, "true, false or a name", value);
    }

    private ModuleFilter filter(String key, JsonElement value) {
        return value.isJsonArray()
                ? ModuleFilter.of(list(this::string).read(key, value))
                : ModuleFilter.matching(string(key, value));
    }

    /** PEFT takes one value for a list of one. */
    private static <T> Reading<List<T>> list(Reading<T> element) {
        return (key, value) -> {
            List<T> list = new ArrayList<>();
            if (value instanceof JsonArray array) {
                array.forEach(item -> list.add(element.read(key, item)));
            } else {
                list.add(element.read(key, value));
            }
            return list;
        };
    }

    private <T> Reading<Map<String, T>> map(Reading<T> element) {
        return (key, value) -> {
            if (!(value instanceof JsonObject object)) {
                throw wrong(key, "an object", value);
            }
            Map<String, T> map = new LinkedHashMap<>();
            object.asMap()
                    .forEach((name, item) -> map.put(name, element.read(key + " " + name, item)));
            return map;
        };
    }

    private List<String> withoutEmpty(List<String> patterns) {
        return patterns.equals(List.of("")) ? List.of() : patterns;
    }

    private AdapterConfigException wrong(String key, String expected, JsonElement found) {
        return new AdapterConfigException(
                source + ": " + key + ": expected " + expected + ", found " + kind(found));
    }

    private static String kind(JsonElement value) {
        if (value.isJsonObject()) {
            return "an object";
        }
        if (value.isJsonArray()) {
            return "a list";
        }
        String text = value.toString();
        return value.isJsonNull() ? "none" : text.substring(0, Math.min(text.length(), 80));
    }

    static List<String> unsupported(Map<String, JsonElement> otherKeys) {
        List<String> features = new ArrayList<>();
        otherKeys.forEach(
                (key, value) -> {
                    boolean unset =
                            value.isJsonNull()
                                    || value.equals(new JsonPrimitive(false))
                                    || (value instanceof JsonObject object && object.isEmpty())
                                    || (value instanceof JsonArray array && array.isEmpty());
                    if (!unset && !HARMLESS.contains(key)) {
                        features.add(key + "=" + value);
                    }
                });
        return features;
    }

    static String text(PeftConfig config) {
        Map<String, JsonElement> keys = new TreeMap<>();
        keys.put("peft_type", new JsonPrimitive(config.peftType()));
        keys.put("task_type", nullable(config.taskType()));
        keys.put("base_model_name_or_path", nullable(config.baseModel()));
        keys.put("revision", nullable(config.revision()));
        keys.put("inference_mode", new JsonPrimitive(config.inferenceMode()));
        keys.put("r", new JsonPrimitive(config.rank()));
        keys.put("lora_alpha", number(config.alpha()));
        keys.put("lora_dropout", new JsonPrimitive(config.dropout()));
        keys.put("bias", new JsonPrimitive(config.bias()));
        keys.put("fan_in_fan_out", new JsonPrimitive(config.fanInFanOut()));
        keys.put("target_modules", filter(config.targetModules()));
        keys.put("modules_to_save", strings(config.modulesToSave()));
        keys.put("init_lora_weights", initialization(config.initialization()));
        keys.put("layers_to_transform", integers(config.layersToTransform()));
        keys.put("layers_pattern", strings(config.layersPattern()));
        keys.put("rank_pattern", map(config.rankPattern(), JsonPrimitive::new));
        keys.put("alpha_pattern", map(config.alphaPattern(), PeftConfigJson::number));
        keys.put("use_rslora", new JsonPrimitive(config.rslora()));
        keys.put("use_dora", new JsonPrimitive(config.dora()));
        if (config.excludeModules() != null) {
            keys.put("exclude_modules", filter(config.excludeModules()));
        }
        JsonObject json = new JsonObject();
        keys.forEach(json::add);
        return GSON.toJson(json);
    }

    private static JsonElement nullable(@Nullable String text) {
        return text == null ? JsonNull.INSTANCE : new JsonPrimitive(text);
    }

    /** Whole numbers without a fraction, as PEFT writes an integer alpha. */
    private static JsonPrimitive number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? new JsonPrimitive((long) value)
                : new JsonPrimitive(value);
    }

    private static JsonPrimitive initialization(String value) {
        return value.equals("true") || value.equals("false")
                ? new JsonPrimitive(Boolean.parseBoolean(value))
                : new JsonPrimitive(value);
    }

    private static JsonElement filter(@Nullable ModuleFilter filter) {
        if (filter == null) {
            return JsonNull.INSTANCE;
        }
        return filter.pattern() == null
                ? strings(filter.names().stream().sorted().toList())
                : new JsonPrimitive(filter.pattern());
    }

    private static JsonElement strings(@Nullable Collection<String> values) {
        return values == null ? JsonNull.INSTANCE : array(values, JsonPrimitive::new);
    }

    private static JsonElement integers(@Nullable Collection<Integer> values) {
        return values == null ? JsonNull.INSTANCE : array(values, JsonPrimitive::new);
    }

    private static <T> JsonArray array(Collection<T> values, Function<T, JsonPrimitive> element) {
        JsonArray array = new JsonArray();
        values.forEach(value -> array.add(element.apply(value)));
        return array;
    }

    // not sorted: the first key that matches wins
    private static <T> JsonObject map(Map<String, T> values, Function<T, JsonPrimitive> element) {
        JsonObject object = new JsonObject();
        values.forEach((key, value) -> object.add(key, element.apply(value)));
        return object;
    }
}
