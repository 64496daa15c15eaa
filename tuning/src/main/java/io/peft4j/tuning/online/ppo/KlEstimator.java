package io.peft4j.tuning.online.ppo;

import java.util.Arrays;
import java.util.Locale;

/**
 * How far a policy has gone from its reference, estimated from one token that the policy has
 * sampled, under TRL's names. With l = log π − log π_ref of the token, both estimate the
 * Kullback-Leibler divergence without bias (Schulman, "Approximating KL Divergence").
 */
public enum KlEstimator {
    /** l: of either sign, and of more variance. */
    K1 {
        @Override
        public double of(double logProbability, double reference) {
            return logProbability - reference;
        }

        @Override
        public double slope(double logProbability, double reference) {
            return 1;
        }
    },
    /** exp(−l) − 1 + l: never negative. */
    K3 {
        @Override
        public double of(double logProbability, double reference) {
            return Math.expm1(reference - logProbability) + logProbability - reference;
        }

        @Override
        public double slope(double logProbability, double reference) {
            return -Math.expm1(reference - logProbability);
        }
    };

    /**
     * Estimates the divergence.
     *
     * @param logProbability log π of the token
     * @param reference log π_ref of it
     * @return the estimate, in nats
     */
    public abstract double of(double logProbability, double reference);

    /**
     * Differentiates the estimate.
     *
     * @param logProbability log π of the token
     * @param reference log π_ref of it
     * @return its derivative by log π
     */
    public abstract double slope(double logProbability, double reference);

    /**
     * Returns TRL's name.
     *
     * @return such as {@code k1}
     */
    public String trlName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * Finds an estimator by TRL's name.
     *
     * @param name such as {@code k3}
     * @return the estimator
     * @throws IllegalArgumentException if there is none of the name; the message lists all
     */
    public static KlEstimator ofTrlName(String name) {
        return Arrays.stream(values())
                .filter(one -> one.trlName().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected the estimator k1 or k3, found \"" + name + "\""));
    }
}
