package io.peft4j.models;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** The config of an adapter on experts, on its way from one of PEFT's layouts to the other. */
final class ExpertAdapterSettings {

    static final String FILE = "adapter_config.json";

    private static final String PARAMETERS = "target_parameters";
    private static final String GATE_UP = "gate_up_proj";
    private static final String DOWN = "down_proj";

    private final Path source;
    private final JsonObject json;
    private final JsonObject ranks;
    private final JsonObject alphas;

    private ExpertAdapterSettings(Path source, JsonObject json) {
        this.source = source;
        this.json = json;
        ranks = object("rank_pattern");
        alphas = object("alpha_pattern");
    }

    static ExpertAdapterSettings read(Path directory) throws IOException {
        Path file = directory.resolve(FILE);
        if (StrictJson.read(file, 1 << 20, 8) instanceof JsonObject object) {
            return new ExpertAdapterSettings(file, object);
        }
        throw new CheckpointException(file + ": expected a JSON object, found another value");
    }

    JsonObject json() {
        return json;
    }

    boolean isFused() {
        return !names(PARAMETERS).isEmpty();
    }

    boolean isDora() {
        return isTrue("use_dora");
    }

    /**
     * Names single experts in place of the parameters.
     *
     * @param halved whether a pair of gate and up came apart into two of half its rank
     */
    void split(boolean halved) throws CheckpointException {
        JsonArray modules = modules();
        JsonArray parameters = names(PARAMETERS);
        for (String parameter : List.of(GATE_UP, DOWN)) {
            if (!parameters.contains(new JsonPrimitive(parameter))) {
                continue;
            }
            double rank = take(ranks, parameter, number("r"));
            double alpha = take(alphas, parameter, number("lora_alpha"));
            boolean two = parameter.equals(GATE_UP);
            for (String name : two ? List.of("w1", "w3") : List.of("w2")) {
                modules.add(name);
                set(ranks, name, two && halved ? rank / 2 : rank, "r");
                set(alphas, name, two && halved ? alpha / doubling() : alpha, "lora_alpha");
            }
        }
        finish(modules, JsonNull.INSTANCE);
    }

    /**
     * Names parameters in place of single experts.
     *
     * @param gateUp whether w1 and w3 are adapted
     * @param down whether w2 is
     */
    void fuse(boolean gateUp, boolean down) throws CheckpointException {
        JsonArray modules = modules();
        double[] rank = new double[4];
        double[] alpha = new double[4];
        for (int i = 1; i <= 3; i++) {
            rank[i] = take(ranks, "w" + i, number("r"));
            alpha[i] = take(alphas, "w" + i, number("lora_alpha"));
            modules.remove(new JsonPrimitive("w" + i));
        }
        JsonArray parameters = new JsonArray();
        if (gateUp) {
            if (rank[1] != rank[3] || alpha[1] != alpha[3]) {
                throw new CheckpointException(
                        source + ": expected one rank and alpha for w1 and w3, found two");
            }
            parameters.add(GATE_UP);
            set(ranks, ".*\\." + GATE_UP, 2 * rank[1], "r");
            set(alphas, ".*\\." + GATE_UP, alpha[1] * doubling(), "lora_alpha");
        }
        if (down) {
            parameters.add(DOWN);
            set(ranks, ".*\\." + DOWN, rank[2], "r");
            set(alphas, ".*\\." + DOWN, alpha[2], "lora_alpha");
        }
        finish(modules, parameters);
    }

    private void finish(JsonArray modules, JsonElement parameters) {
        json.add("rank_pattern", ranks);
        json.add("alpha_pattern", alphas);
        json.add("target_modules", modules);
        json.add(PARAMETERS, parameters);
    }

    /** What alpha is multiplied by when the rank is doubled, so that the scaling stays. */
    private double doubling() {
        return isTrue("use_rslora") ? Math.sqrt(2) : 2;
    }

    private boolean isTrue(String key) {
        return json.get(key) instanceof JsonPrimitive flag && flag.getAsBoolean();
    }

    private double number(String key) throws CheckpointException {
        if (json.get(key) instanceof JsonPrimitive number && number.isNumber()) {
            return number.getAsDouble();
        }
        throw new CheckpointException(
                source + ": \"" + key + "\": expected a number, found " + json.get(key));
    }

    private JsonArray names(String key) {
        return json.get(key) instanceof JsonArray names ? names.deepCopy() : new JsonArray();
    }

    private JsonArray modules() throws CheckpointException {
        if (json.get("target_modules") instanceof JsonPrimitive text) {
            throw new CheckpointException(
                    source + ": \"target_modules\": expected a list of names, found " + text);
        }
        return names("target_modules");
    }

    private JsonObject object(String key) {
        return json.get(key) instanceof JsonObject object ? object.deepCopy() : new JsonObject();
    }

    /** Takes the pattern that matches a module or parameter out, and returns its value. */
    private static double take(JsonObject patterns, String name, double orElse) {
        for (String pattern : List.copyOf(patterns.keySet())) {
            if (Pattern.matches("(.*\\.)?(" + pattern + ")", "model.experts." + name)) {
                return patterns.remove(pattern).getAsDouble();
            }
        }
        return orElse;
    }

    private void set(JsonObject patterns, String name, double value, String general)
            throws CheckpointException {
        if (value != number(general)) {
            boolean whole = value == Math.rint(value);
            patterns.add(name, whole ? new JsonPrimitive((long) value) : new JsonPrimitive(value));
        }
    }
}
