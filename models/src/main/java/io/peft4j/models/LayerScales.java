package io.peft4j.models;

import io.peft4j.adapters.ModulePatterns;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.function.ToDoubleFunction;

/** The rank and alpha of a module or parameter that each layer has under the same name. */
final class LayerScales {

    private final String everywhere;
    private final IntFunction<String> pattern;
    private final IntFunction<String> path;
    private final Map<Integer, RankSettings.Scale> scales = new TreeMap<>();

    /**
     * Starts without a layer.
     *
     * @param everywhere the pattern that names it in all layers
     * @param pattern the pattern that names it in one layer
     * @param path its path in one layer
     */
    LayerScales(String everywhere, IntFunction<String> pattern, IntFunction<String> path) {
        this.everywhere = everywhere;
        this.pattern = pattern;
        this.path = path;
    }

    void put(int layer, RankSettings.Scale scale) {
        scales.put(layer, scale);
    }

    /** Returns which layers have it. */
    Set<Integer> layers() {
        return scales.keySet();
    }

    /** Returns a regular expression for all paths, with a bar before each alternative. */
    String alternatives(int allLayers) {
        if (scales.size() == allLayers) {
            return "|.*\\." + everywhere;
        }
        StringBuilder each = new StringBuilder();
        scales.keySet().forEach(layer -> each.append("|.*\\.").append(pattern.apply(layer)));
        return each.toString();
    }

    /**
     * Adds the patterns that are needed for PEFT to find the right values.
     *
     * @param patterns takes them
     * @param value the value of a layer
     * @param general the value that holds without a pattern
     * @param after the patterns that come behind, and would match where none of these does
     */
    void addTo(
            Map<String, Double> patterns,
            ToDoubleFunction<RankSettings.Scale> value,
            double general,
            ModulePatterns after) {
        double[] values = scales.values().stream().mapToDouble(value).toArray();
        boolean uniform = true;
        for (double each : values) {
            uniform &= RankSettings.near(each, values[0]);
        }
        for (int layer : scales.keySet()) {
            double exact = value.applyAsDouble(scales.get(layer));
            boolean usual = RankSettings.near(exact, general);
            if (!usual || after.lookup(path.apply(layer)).isPresent()) {
                patterns.put(uniform ? everywhere : pattern.apply(layer), usual ? general : exact);
            }
        }
    }
}
