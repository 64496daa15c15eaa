package io.peft4j.models;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Chooses a token from logits, as transformers does it: temperature, then top-k, then top-p, then a
 * draw. The same seed draws the same tokens on every machine with the same logits.
 */
final class TokenSampler {

    private final GenerationConfig config;
    private final SplittableRandom random;

    TokenSampler(GenerationConfig config) {
        this.config = config;
        random = new SplittableRandom(config.seed());
    }

    /**
     * Returns the index of the chosen logit.
     *
     * @throws IllegalStateException if a logit is not a number
     */
    int choose(float[] logits) {
        for (float logit : logits) {
            if (Float.isNaN(logit)) {
                throw new IllegalStateException(
                        "expected logits that are numbers, found NaN: the weights are damaged");
            }
        }
        return config.samples() ? sample(logits) : likeliest(logits);
    }

    /** The first of equals, as torch's argmax. */
    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private int sample(float[] logits) {
        int[] order = order(logits);
        double highest = logits[order[0]];
        double[] weights = new double[order.length];
        double total = 0;
        for (int i = 0; i < order.length; i++) {
            weights[i] = Math.exp((logits[order[i]] - highest) / config.temperature());
            total += weights[i];
        }
        int kept = nucleus(weights, total);
        double keptTotal = Arrays.stream(weights, 0, kept).sum();
        double draw = random.nextDouble() * keptTotal;
        for (int i = 0; i < kept; i++) {
            draw -= weights[i];
            if (draw < 0) {
                return order[i];
            }
        }
        return order[kept - 1]; // the sum's rounding
    }

    /** The tokens that may be drawn, likeliest first. */
    private int[] order(float[] logits) {
        int limit = config.topK() == 0 ? logits.length : Math.min(config.topK(), logits.length);
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -logits[i])) // stable
                .limit(limit)
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /** How many of the likeliest reach top-p together; at least one. */
    private int nucleus(double[] weights, double total) {
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += weights[i];
            if (sum >= config.topP() * total) {
                return i + 1;
            }
        }
        return weights.length;
    }
}
