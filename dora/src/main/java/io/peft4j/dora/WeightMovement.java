package io.peft4j.dora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;

/**
 * How far training has moved a weight: the analysis of the DoRA paper (section 3.2 of
 * arXiv:2402.09353). A weight is a set of vectors, each with a magnitude \(m\), its norm, and a
 * direction. With \(m_n, v_n\) of vector n after the training and \(m^0_n, v^0_n\) before it,
 *
 * <pre>
 * ΔM = mean over n of |m_n − m0_n|
 * ΔD = mean over n of 1 − cos(v_n, v0_n)
 * </pre>
 *
 * <p>Sums are in float64, since a cosine near 1 in float32 would be mostly rounding. A vector of
 * zeros has no direction: it counts as 0 in ΔD if the vector was zero before and is after, else as
 * 1.
 *
 * @param magnitude ΔM, in the unit of the weight
 * @param direction ΔD, from 0, where no vector has turned, to 2
 */
public record WeightMovement(double magnitude, double direction) {

    /** Which vectors a weight (out, in) is made of. */
    public enum Vectors {
        /**
         * A vector for each output, (in): the rows of (out, in), whose magnitudes {@link
         * DoraConfig} and PEFT train.
         */
        PER_OUTPUT,

        /**
         * A vector for each input, (out): the columns of (out, in), which is how the paper writes
         * it.
         */
        PER_INPUT
    }

    /**
     * Compares a weight before and after a training. Of a weight of more axes than two, all but the
     * first are its inputs.
     *
     * @param before the weight (out, in, …), float32
     * @param after the same weight later
     * @param vectors what has a magnitude and a direction
     * @return how far it moved
     * @throws IllegalArgumentException if the two differ in shape or are not float32
     */
    public static WeightMovement between(NDArray before, NDArray after, Vectors vectors) {
        Shape shape = before.getShape();
        if (shape.dimension() < 2
                || shape.size() == 0
                || !shape.equals(after.getShape())
                || before.getDataType() != DataType.FLOAT32
                || after.getDataType() != DataType.FLOAT32) {
            throw new IllegalArgumentException(
                    "expected a float32 weight (out, in, …) twice, found "
                            + describe(before)
                            + " and "
                            + describe(after));
        }
        float[] old = before.toFloatArray();
        float[] now = after.toFloatArray();
        int outputs = Math.toIntExact(shape.get(0));
        int inputs = old.length / outputs;
        boolean perOutput = vectors == Vectors.PER_OUTPUT;
        int count = perOutput ? outputs : inputs;
        double[] oldSquares = new double[count];
        double[] newSquares = new double[count];
        double[] products = new double[count];
        for (int i = 0; i < old.length; i++) {
            int vector = perOutput ? i / inputs : i % inputs;
            oldSquares[vector] += (double) old[i] * old[i];
            newSquares[vector] += (double) now[i] * now[i];
            products[vector] += (double) old[i] * now[i];
        }
        double magnitude = 0;
        double direction = 0;
        for (int n = 0; n < count; n++) {
            double oldNorm = Math.sqrt(oldSquares[n]);
            double newNorm = Math.sqrt(newSquares[n]);
            magnitude += Math.abs(newNorm - oldNorm);
            direction += turn(products[n], oldNorm, newNorm);
        }
        return new WeightMovement(magnitude / count, direction / count);
    }

    private static double turn(double product, double oldNorm, double newNorm) {
        if (oldNorm == 0 || newNorm == 0) {
            return oldNorm == newNorm ? 0 : 1;
        }
        return Math.max(0, 1 - product / (oldNorm * newNorm)); // rounding may give −1e-16
    }

    private static String describe(NDArray array) {
        return array.getDataType() + " " + array.getShape();
    }

    /**
     * Correlates ΔD with ΔM over several weights, or over one at several times. The paper finds it
     * positive for LoRA and negative for full fine-tuning and DoRA.
     *
     * @param movements two or more
     * @return Pearson's correlation, from −1 to 1; NaN if either does not vary
     * @throws IllegalArgumentException if there are fewer than two
     */
    public static double correlation(List<WeightMovement> movements) {
        if (movements.size() < 2) {
            throw new IllegalArgumentException(
                    "expected two movements or more to correlate, found " + movements.size());
        }
        double meanM = movements.stream().mapToDouble(WeightMovement::magnitude).sum();
        double meanD = movements.stream().mapToDouble(WeightMovement::direction).sum();
        meanM /= movements.size();
        meanD /= movements.size();
        double both = 0;
        double squaresM = 0;
        double squaresD = 0;
        for (WeightMovement movement : movements) {
            double m = movement.magnitude - meanM;
            double d = movement.direction - meanD;
            both += m * d;
            squaresM += m * m;
            squaresD += d * d;
        }
        return both / Math.sqrt(squaresM * squaresD);
    }
}
