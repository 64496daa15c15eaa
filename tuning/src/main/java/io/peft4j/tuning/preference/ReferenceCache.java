package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.files.Sha256;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.TensorFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Log-probabilities of a reference, computed once and kept in a file whose name is the hash of
 * base, adapter and data. They are float32, in the file and out of it, so that it does not matter
 * which training computed them.
 *
 * @param directory where the files are
 * @param reference whose log-probabilities
 * @param precision what the base computes in, which decides the rounding
 */
record ReferenceCache(Path directory, Reference reference, String precision) {

    private static final Logger LOG = LoggerFactory.getLogger(DpoTrainer.class);

    LogProbabilities of(LanguageModel model, PairBatches pairs, int batchSize) throws IOException {
        Path file = directory.resolve("reference-" + key(pairs) + ".safetensors");
        if (Files.exists(file)) {
            try {
                LogProbabilities read = read(model, file, pairs.size());
                LOG.info(
                        "the reference's log-probabilities of {} pairs are in {}",
                        pairs.size(),
                        file);
                return read;
            } catch (IOException e) {
                LOG.warn("passing over a damaged file: {}", e.getMessage());
            }
        }
        LOG.info("computing the reference's log-probabilities of {} pairs", pairs.size());
        LogProbabilities computed = ReferenceScores.of(model, reference.role(), pairs, batchSize);
        Files.createDirectories(directory);
        return write(model, file, computed);
    }

    private String key(PairBatches pairs) {
        MessageDigest digest = Sha256.digest();
        String content = reference.fingerprint() + " " + precision + " " + pairs.fingerprint();
        digest.update(content.getBytes(StandardCharsets.UTF_8));
        return Sha256.hex(digest);
    }

    private static LogProbabilities read(LanguageModel model, Path file, int pairs)
            throws IOException {
        try (NDManager scope = model.manager().newSubManager()) {
            NDArray chosen = Tensors.of(scope, new float[pairs], new Shape(pairs));
            NDArray rejected = Tensors.of(scope, new float[pairs], new Shape(pairs));
            TensorFile.load(file, named(chosen, rejected));
            return new LogProbabilities(doubles(chosen), doubles(rejected));
        }
    }

    private static LogProbabilities write(LanguageModel model, Path file, LogProbabilities all)
            throws IOException {
        try (NDManager scope = model.manager().newSubManager()) {
            Shape shape = new Shape(all.chosen().length);
            NDArray chosen = Tensors.of(scope, floats(all.chosen()), shape);
            NDArray rejected = Tensors.of(scope, floats(all.rejected()), shape);
            TensorFile.save(file, named(chosen, rejected));
            return new LogProbabilities(doubles(chosen), doubles(rejected));
        }
    }

    /** Under TRL's names. */
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
