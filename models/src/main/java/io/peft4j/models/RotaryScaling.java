package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TextModule;
import java.util.List;

/**
 * How the frequencies of the rotary positions were changed so that a model takes longer texts.
 *
 * <p>All of it is computed in float32 by the same operations as in the published code: at position
 * 100 000 a rounding of the frequency is an angle of 0.01.
 */
sealed interface RotaryScaling {

    /** Kernels of the frequencies and of the table that is made of them. */
    TextModule KERNELS = TextModule.resource(RotaryScaling.class, "rotary.ts");

    /**
     * Returns the frequencies, one per rotated pair of dimensions.
     *
     * @param owner the manager of the result
     * @param powers theta^(2 i / D), the reciprocals of the unscaled frequencies
     * @param regime what {@link #regime} gives for the text's length
     */
    NDArray frequencies(NDManager owner, NDArray powers, int regime);

    /**
     * Tells which frequencies a text of some length is read with. Keys that were rotated in one
     * regime are of no use in another.
     */
    default int regime(int length) {
        return 0;
    }

    /** What cosines and sines are multiplied by. */
    default double amplitude() {
        return 1;
    }

    /** No scaling. */
    record None() implements RotaryScaling {
        @Override
        public NDArray frequencies(NDManager owner, NDArray powers, int regime) {
            return KERNELS.call(owner, "plain", powers);
        }
    }

    /**
     * Positions closer together.
     *
     * @param factor by how much
     */
    record Linear(double factor) implements RotaryScaling {
        @Override
        public NDArray frequencies(NDManager owner, NDArray powers, int regime) {
            return KERNELS.call(owner, "linear", powers, Kernels.constant(factor));
        }
    }

    /**
     * LLaMA 3.1's: low frequencies divided by the factor, high ones kept, those between blended.
     *
     * @param factor what low frequencies are divided by
     * @param lowFactor wavelengths above {@code originalLength / lowFactor} are low frequencies
     * @param highFactor wavelengths below {@code originalLength / highFactor} are high frequencies
     * @param originalLength the longest text before scaling
     */
    record Llama3(double factor, double lowFactor, double highFactor, int originalLength)
            implements RotaryScaling {
        @Override
        public NDArray frequencies(NDManager owner, NDArray powers, int regime) {
            return KERNELS.call(
                    owner,
                    "llama3",
                    powers,
                    Kernels.constant(factor),
                    Kernels.constant(lowFactor),
                    Kernels.constant(highFactor),
                    Kernels.constant(originalLength));
        }
    }

    /**
     * LongRoPE (Ding et al., arXiv:2402.13753): a divisor per frequency, one set for texts up to
     * the original length and one for longer texts.
     *
     * @param shortFactors the divisors for short texts
     * @param longFactors the divisors for long texts
     * @param originalLength the longest short text
     * @param amplitude what cosines and sines are multiplied by, whatever the length
     */
    record LongRope(
            List<Double> shortFactors,
            List<Double> longFactors,
            int originalLength,
            double amplitude)
            implements RotaryScaling {

        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
        }

        @Override
        public int regime(int length) {
            return length > originalLength ? 1 : 0;
        }

        @Override
        public NDArray frequencies(NDManager owner, NDArray powers, int regime) {
            List<Double> factors = regime == 0 ? shortFactors : longFactors;
            float[] values = new float[factors.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = factors.get(i).floatValue();
            }
            try (NDArray divisors = powers.getManager().create(values)) {
                return KERNELS.call(owner, "longrope", powers, divisors);
            }
        }
    }
}
