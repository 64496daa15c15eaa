package io.peft4j.models;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Reads the rotary positions from either generation of {@code config.json}: {@code rope_theta} and
 * {@code rope_scaling}, whose kind is {@code type} or {@code rope_type}, or all of it in {@code
 * rope_parameters}.
 */
final class RotaryConfig {

    private final ConfigJson config;
    private final ConfigJson scaling;
    private final int contextLength;

    private RotaryConfig(ConfigJson config, int contextLength) {
        this.config = config;
        this.contextLength = contextLength;
        // the order of the published code, which lets the older key win
        String key = config.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
        scaling = config.object(key).orElseGet(config::empty);
    }

    /**
     * Reads what all families share.
     *
     * @param theta the base if the config has none
     * @param originalLength the length before scaling if the config does not state it beside the
     *     scaling; empty if the family has none, and then one within the scaling counts
     * @throws ModelConfigException if the kind is not known or a value is not what it should be
     */
    static RotaryEmbedding read(
            ConfigJson config,
            int headDim,
            int contextLength,
            double theta,
            OptionalInt originalLength) {
        RotaryConfig reader = new RotaryConfig(config, contextLength);
        int dimensions = reader.dimensions(headDim);
        return new RotaryEmbedding(
                reader.theta(theta), dimensions, reader.scaling(dimensions, originalLength));
    }

    private double theta(double orElse) {
        ConfigJson holder = scaling.has("rope_theta") ? scaling : config;
        double theta = holder.number("rope_theta").orElse(orElse);
        if (theta <= 0) {
            throw holder.wrong("rope_theta", "a positive number", theta);
        }
        return theta;
    }

    private int dimensions(int headDim) {
        String name = "partial_rotary_factor";
        ConfigJson holder = scaling.has(name) ? scaling : config;
        double factor = holder.number(name).orElse(1.0);
        int dimensions = (int) (headDim * factor);
        if (factor <= 0 || factor > 1 || dimensions < 2 || dimensions % 2 != 0) {
            throw holder.wrong(
                    name,
                    "a factor up to 1 that leaves an even number of a head's "
                            + headDim
                            + " dimensions",
                    factor);
        }
        return dimensions;
    }

    private RotaryScaling scaling(int dimensions, OptionalInt original) {
        Optional<String> named = scaling.string("rope_type").or(() -> scaling.string("type"));
        String type = named.orElse("default");
        return switch (type) {
            case "default" -> new RotaryScaling.None();
            case "linear" -> new RotaryScaling.Linear(positive("factor"));
            case "llama3" -> llama3(original);
            case "longrope", "su" -> longRope(dimensions, original);
            default ->
                    throw scaling.wrong(
                            scaling.has("rope_type") ? "rope_type" : "type",
                            "one of default, linear, llama3, longrope, su",
                            "\"" + type + "\"");
        };
    }

    private RotaryScaling llama3(OptionalInt original) {
        double low = positive("low_freq_factor");
        double high = positive("high_freq_factor");
        if (high <= low) {
            throw scaling.wrong("high_freq_factor", "more than low_freq_factor " + low, high);
        }
        return new RotaryScaling.Llama3(positive("factor"), low, high, originalLength(original));
    }

    private RotaryScaling longRope(int dimensions, OptionalInt original) {
        int length = originalLength(original);
        double factor =
                scaling.has("factor") ? positive("factor") : (double) contextLength / length;
        double amplitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(length));
        return new RotaryScaling.LongRope(
                factors("short_factor", dimensions / 2),
                factors("long_factor", dimensions / 2),
                length,
                scaling.has("attention_factor") ? positive("attention_factor") : amplitude);
    }

    private List<Double> factors(String name, int count) {
        List<Double> factors = scaling.numbers(name);
        boolean usable = scaling.isList(name) && factors.size() == count;
        if (!usable || factors.stream().anyMatch(factor -> factor <= 0)) {
            throw scaling.wrong(
                    name,
                    "a list of " + count + " positive numbers, one per rotated pair of dimensions",
                    scaling.json().get(name));
        }
        return factors;
    }

    private int originalLength(OptionalInt original) {
        String name = "original_max_position_embeddings";
        if (config.has(name)) {
            return config.size(name);
        }
        return original.isPresent() ? original.getAsInt() : scaling.size(name, contextLength);
    }

    private double positive(String name) {
        double value = scaling.number(name).orElseThrow(() -> scaling.missing(name));
        if (value <= 0) {
            throw scaling.wrong(name, "a positive number", value);
        }
        return value;
    }
}
