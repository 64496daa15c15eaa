package io.peft4j.models;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.adapters.ModulePatterns;
import io.peft4j.adapters.PeftConfig;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The ranks and alphas of a low-rank adapter's modules, read and written as PEFT's patterns. */
final class RankSettings {

    /**
     * The rank and alpha of one module.
     *
     * @param rank r
     * @param alpha what the rank, or its root, divides
     */
    record Scale(int rank, double alpha) {}

    private final boolean rankStabilised;
    private final int rank;
    private final double alpha;
    private final ModulePatterns ranks;
    private final ModulePatterns alphas;

    RankSettings(PeftConfig config) {
        rankStabilised = config.flag("use_rslora");
        rank = config.integer("r").orElse(8);
        alpha = config.number("lora_alpha").orElse(8.0);
        ranks = ModulePatterns.of(config.wholeNumbers("rank_pattern"));
        alphas = ModulePatterns.of(config.numbers("alpha_pattern"));
    }

    /** Returns the rank where no pattern says otherwise. */
    int rank() {
        return rank;
    }

    /** Returns what holds for a module or a parameter. */
    Scale at(String path) {
        return new Scale(
                ranks.lookup(path).map(Double::intValue).orElse(rank),
                alphas.lookup(path).orElse(alpha));
    }

    double scaling(Scale scale) {
        return scale.alpha() / divisor(scale.rank());
    }

    /** Returns another rank with the alpha that leaves the scaling as it is. */
    Scale resized(Scale scale, int newRank) {
        double growth = (double) scale.rank() / newRank;
        return new Scale(newRank, scale.alpha() / (rankStabilised ? Math.sqrt(growth) : growth));
    }

    private double divisor(int of) {
        return rankStabilised ? Math.sqrt(of) : of;
    }

    static boolean near(double a, double b) {
        return Math.abs(a - b) <= 1e-9 * Math.abs(b);
    }

    /**
     * Writes the settings of some modules before those that are left of the others.
     *
     * @param json the config to write to
     * @param others the paths of all modules whose settings stay
     * @param scales what holds for each named module, by the pattern to write and the layer
     */
    void write(JsonObject json, Collection<String> others, Iterable<LayerScales> scales) {
        Map<String, Double> rankPatterns = new LinkedHashMap<>();
        Map<String, Double> alphaPatterns = new LinkedHashMap<>();
        ModulePatterns ranksLeft = without(ranks, others);
        ModulePatterns alphasLeft = without(alphas, others);
        for (LayerScales of : scales) {
            of.addTo(rankPatterns, scale -> scale.rank(), rank, ranksLeft);
            of.addTo(alphaPatterns, scale -> scale.alpha(), alpha, alphasLeft);
        }
        ranksLeft.values().forEach(rankPatterns::putIfAbsent);
        alphasLeft.values().forEach(alphaPatterns::putIfAbsent);
        json.add("rank_pattern", json(rankPatterns));
        json.add("alpha_pattern", json(alphaPatterns));
    }

    private static ModulePatterns without(ModulePatterns patterns, Collection<String> others) {
        Set<String> gone = new HashSet<>(patterns.unmatched(others));
        Map<String, Double> left = new LinkedHashMap<>(patterns.values());
        left.keySet().removeAll(gone);
        return ModulePatterns.of(left);
    }

    private static JsonElement json(Map<String, Double> values) {
        JsonObject object = new JsonObject();
        values.forEach(
                (pattern, value) -> {
                    boolean whole = value == Math.rint(value);
                    object.add(
                            pattern,
                            whole
                                    ? new JsonPrimitive(value.longValue())
                                    : new JsonPrimitive(value));
                });
        return object;
    }
}
