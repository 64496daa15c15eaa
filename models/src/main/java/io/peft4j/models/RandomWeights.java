package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.nio.FloatBuffer;
import java.util.Random;

/** The values of new weights, the same on every machine. */
final class RandomWeights {

    private RandomWeights() {}

    /** Returns the seed of one tensor of a model. */
    static long seed(long ofModel, String name) {
        return 31 * ofModel + name.hashCode(); // String.hashCode is specified
    }

    /**
     * Fills a tensor: norms with ones, biases with zeros, all else with normal numbers.
     *
     * @param writer writes the values
     * @param array the tensor
     * @param type what it is
     * @param deviation the standard deviation of normal numbers
     * @param seed decides them
     */
    static void fill(
            RowWriter writer, NDArray array, Parameter.Type type, double deviation, long seed) {
        Random random = new Random(seed); // its Gaussian numbers are specified
        Shape shape = array.getShape();
        int chunk = RowWriter.chunkElements(shape);
        for (long first = 0; first < shape.size(); first += chunk) {
            float[] values = new float[(int) Math.min(chunk, shape.size() - first)];
            for (int i = 0; i < values.length; i++) {
                values[i] =
                        switch (type) {
                            case GAMMA -> 1;
                            case BIAS -> 0;
                            default -> (float) (deviation * random.nextGaussian());
                        };
            }
            writer.put(array, first, FloatBuffer.wrap(values));
        }
    }
}
