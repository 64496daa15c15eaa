package io.peft4j.tuning;

import ai.djl.util.Preconditions;

/**
 * What AdamW's formulas hold besides parameter, gradient and learning rate.
 *
 * @param beta1 decay rate of the first moment
 * @param beta2 decay rate of the second moment
 * @param epsilon what is added to the root
 * @param weightDecay the factor of the learning rate
 * @param gradientFactor what a gradient is multiplied with first
 * @param elementLimit the largest size of a gradient's element; negative for none
 */
record AdamWSettings(
        double beta1,
        double beta2,
        double epsilon,
        double weightDecay,
        double gradientFactor,
        double elementLimit) {

    AdamWSettings(double beta1, double beta2, double epsilon, double weightDecay) {
        this(beta1, beta2, epsilon, weightDecay, 1, -1);
    }

    AdamWSettings {
        Preconditions.checkArgument(
                beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
                "betas must be in [0, 1), but were " + beta1 + " and " + beta2);
        Preconditions.checkArgument(
                epsilon >= 0 && weightDecay >= 0,
                "eps and decay must not be negative, but were " + epsilon + " and " + weightDecay);
    }

    /** Returns the numbers in the kernels' order. */
    double[] hyper(double learningRate, ParameterGroup group) {
        return new double[] {
            learningRate * group.rateFactor(),
            beta1,
            beta2,
            epsilon,
            group.decays() ? weightDecay : 0,
            gradientFactor,
            elementLimit
        };
    }
}
