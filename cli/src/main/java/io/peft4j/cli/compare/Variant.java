package io.peft4j.cli.compare;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What is compared: everything that the grid varies but the seed.
 *
 * @param method such as {@code lora}
 * @param rank the adapter's rank; empty for a method without one
 * @param learningRate the schedule's highest
 * @param targets the modules to adapt as a flag writes them; empty for the family's own
 */
public record Variant(
        String method, OptionalInt rank, double learningRate, Optional<String> targets) {

    /** Says it in a few words, with what varies in the grid only. */
    String label(Axes axes) {
        StringBuilder label = new StringBuilder(method);
        rank.ifPresent(value -> label.append(" r").append(value));
        if (axes.learningRate()) {
            label.append(" lr ").append(number(learningRate));
        }
        if (axes.targets() && rank.isPresent()) {
            label.append(' ').append(targetsOrDefault());
        }
        return label.toString();
    }

    String rankOrDash() {
        return rank.isPresent() ? Integer.toString(rank.getAsInt()) : "–";
    }

    String targetsOrDefault() {
        return targets.orElse("default");
    }

    /** Writes a number with as few digits as it has: 0.005, 2e-7. */
    static String number(double value) {
        return new BigDecimal(Double.toString(value))
                .stripTrailingZeros()
                .toString()
                .toLowerCase(Locale.ROOT);
    }
}
