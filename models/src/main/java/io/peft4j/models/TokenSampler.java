package io.peft4j.models;

import java.util.Arrays;
import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * Chooses tokens from logits, as transformers does it: repetition penalty, temperature, top-k,
 * top-p, min-p, then a draw. The same seed draws the same tokens on every machine with the same
 * logits.
 */
final class TokenSampler {

    private final GenerationConfig config;
    private final SplittableRandom random;
    private final BitSet seen = new BitSet();

    /**
     * Begins a text.
     *
     * @param prompt the tokens before the first chosen one
     */
    TokenSampler(GenerationConfig config, long seed, long[] prompt) {
        this.config = config;
        random = new SplittableRandom(seed);
        for (long id : prompt) {
            seen.set(Math.toIntExact(id));
        }
    }

    /**
     * Returns the index of the chosen logit, which is seen from now on.
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
        float[] scores = penalized(logits);
        int token = config.samples() ? draw(candidates(scores)) : likeliest(scores);
        seen.set(token);
        return token;
    }

    private float[] penalized(float[] logits) {
        if (config.repetitionPenalty() == 1) {
            return logits;
        }
        float[] scores = logits.clone();
        float penalty = (float) config.repetitionPenalty();
        seen.stream()
                .filter(token -> token < scores.length)
                .forEach(
                        token ->
                                scores[token] =
                                        scores[token] < 0
                                                ? scores[token] * penalty
                                                : scores[token] / penalty);
        return scores;
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

    /** Tokens that may be drawn, likeliest first, with weights that add up to any sum. */
    private static final class Candidates {

        private final int[] order;
        private final double[] weights;

        private Candidates(int[] order, double[] weights) {
            this.order = order;
            this.weights = weights;
        }
    }

    /**
     * Returns the probability of each token to be drawn.
     *
     * @param logits the logits, before the penalty
     */
    double[] probabilities(float[] logits) {
        Candidates candidates = candidates(penalized(logits));
        double total = Arrays.stream(candidates.weights).sum();
        double[] probabilities = new double[logits.length];
        for (int i = 0; i < candidates.weights.length; i++) {
            probabilities[candidates.order[i]] = candidates.weights[i] / total;
        }
        return probabilities;
    }

    private Candidates candidates(float[] scores) {
        int[] order = order(scores);
        int kept = scores.length;
        if (config.topK() > 0 && config.topK() < kept) {
            kept = config.topK();
            while (kept < order.length && scores[order[kept]] == scores[order[kept - 1]]) {
                kept++; // as likely as the last
            }
        }
        double highest = scores[order[0]];
        double[] weights = new double[kept];
        for (int i = 0; i < kept; i++) {
            weights[i] = Math.exp((scores[order[i]] - highest) / config.temperature());
        }
        kept = nucleus(weights, Arrays.stream(weights).sum());
        while (kept > 1 && weights[kept - 1] < config.minP() * weights[0]) {
            kept--;
        }
        return new Candidates(order, Arrays.copyOf(weights, kept));
    }

    private int draw(Candidates candidates) {
        double[] weights = candidates.weights;
        double draw = random.nextDouble() * Arrays.stream(weights).sum();
        for (int i = 0; i < weights.length; i++) {
            draw -= weights[i];
            if (draw < 0) {
                return candidates.order[i];
            }
        }
        return candidates.order[weights.length - 1]; // the sum's rounding
    }

    /** All tokens, likeliest first, the first of equals first. */
    private static int[] order(float[] scores) {
        long[] keys = new long[scores.length];
        for (int i = 0; i < keys.length; i++) {
            int bits = Float.floatToIntBits(scores[i] + 0f); // no negative zero
            int ascending = bits < 0 ? ~bits : bits ^ Integer.MIN_VALUE; // as unsigned
            keys[i] = (long) (~ascending ^ Integer.MIN_VALUE) << 32 | i;
        }
        Arrays.sort(keys);
        int[] order = new int[keys.length];
        for (int i = 0; i < order.length; i++) {
            order[i] = (int) keys[i];
        }
        return order;
    }

    /** How many of the likeliest reach top-p together; at least one. */
    private int nucleus(double[] weights, double total) {
        if (config.topP() == 1) {
            return weights.length;
        }
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
