package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.TensorFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** Log-probabilities of pairs in a file, float32, under TRL's names. */
final class ScoresFile {

    private ScoresFile() {}

    static LogProbabilities read(NDManager owner, Path file, int pairs) throws IOException {
        try (NDManager scope = owner.newSubManager()) {
            NDArray chosen = Tensors.of(scope, new float[pairs], new Shape(pairs));
            NDArray rejected = Tensors.of(scope, new float[pairs], new Shape(pairs));
            TensorFile.load(file, named(chosen, rejected));
            return new LogProbabilities(doubles(chosen), doubles(rejected));
        }
    }

    /** Writes a file, and returns what it will be read as. */
    static LogProbabilities write(NDManager owner, Path file, LogProbabilities all)
            throws IOException {
        try (NDManager scope = owner.newSubManager()) {
            Shape shape = new Shape(all.chosen().length);
            NDArray chosen = Tensors.of(scope, floats(all.chosen()), shape);
            NDArray rejected = Tensors.of(scope, floats(all.rejected()), shape);
            TensorFile.save(file, named(chosen, rejected));
            return new LogProbabilities(doubles(chosen), doubles(rejected));
        }
    }

    private static Map<String, NDArray> named(NDArray chosen, NDArray rejected) {
        return Map.of("ref_chosen_logps", chosen, "ref_rejected_logps", rejected);
    }

    private static double[] doubles(NDArray array) {
        float[] floats = array.toFloatArray();
        double[] doubles = new double[floats.length];
        for (int i = 0; i < floats.length; i++) {
            doubles[i] = floats[i];
        }
        return doubles;
    }

    private static float[] floats(double[] doubles) {
        float[] floats = new float[doubles.length];
        for (int i = 0; i < doubles.length; i++) {
            floats[i] = (float) doubles[i];
        }
        return floats;
    }
}
