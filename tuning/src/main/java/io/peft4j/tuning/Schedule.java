package io.peft4j.tuning;

import java.util.Arrays;
import java.util.Locale;

/**
 * How the learning rate moves over the steps, as in transformers ({@code
 * get_linear_schedule_with_warmup} and its siblings). Steps are counted from 0; a warm-up of w
 * steps uses k/w of the rate at step k.
 */
public enum Schedule {
    /** The full rate after the warm-up. */
    CONSTANT,
    /** Down in a straight line, to zero after the last step: (n − k) / (n − w). */
    LINEAR,
    /** Half a cosine, to zero after the last step: (1 + cos(π (k − w) / (n − w))) / 2. */
    COSINE;

    /**
     * Reads a schedule's name.
     *
     * @param name as a user writes it, such as {@code cosine}
     * @return the schedule
     * @throws IllegalArgumentException if there is none of that name
     */
    public static Schedule of(String name) {
        return Arrays.stream(values())
                .filter(schedule -> schedule.toString().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected a schedule of "
                                                + Arrays.toString(values())
                                                + ", found "
                                                + name));
    }

    /**
     * Returns the factor of the learning rate at a step.
     *
     * @param step k, counted from 0
     * @param warmup w, the number of warm-up steps
     * @param total n, the number of steps, warm-up included
     * @return a number from 0 to 1
     */
    public double factor(int step, int warmup, int total) {
        if (step < warmup) {
            return (double) step / Math.max(1, warmup);
        }
        double rest = Math.max(1, total - warmup);
        return switch (this) {
            case CONSTANT -> 1;
            case LINEAR -> Math.max(0, (total - step) / rest);
            case COSINE -> Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((step - warmup) / rest))));
        };
    }

    /**
     * Returns the learning rate at a step, with bounds: the warm-up begins at the first rate and
     * not at 0 (torch's {@code LinearLR}), and what comes down ends at the least and not at 0
     * ({@code CosineAnnealingLR}'s {@code eta_min}; transformers' {@code cosine_with_min_lr}). A
     * constant rate has no least.
     *
     * @param step k, counted from 0
     * @param warmup w, the number of warm-up steps
     * @param total n, the number of steps, warm-up included
     * @param first the rate at step 0 of a warm-up
     * @param highest the rate after the warm-up
     * @param least the rate after the last step
     * @return the rate
     */
    public double rate(
            int step, int warmup, int total, double first, double highest, double least) {
        double from = step < warmup ? first : least;
        return from + (highest - from) * factor(step, warmup, total);
    }

    /** Returns the name as a user writes it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
