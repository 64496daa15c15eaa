package io.peft4j.tuning.preference;

import io.peft4j.files.Sha256;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Log-probabilities of a reference, computed once and kept in a file whose name is the hash of
 * base, adapter and data. They are float32, in the file and out of it, so that it does not matter
 * which training computed them. Until all are known there is a second file beside it, with which an
 * interrupted computation goes on.
 *
 * @param directory where the files are
 * @param reference whose log-probabilities
 * @param precision what the base computes in, which decides the rounding
 */
record ReferenceCache(Path directory, Reference reference, String precision) {

    private static final Logger LOG = LoggerFactory.getLogger(DpoTrainer.class);

    LogProbabilities of(LanguageModel model, PairBatches pairs, int batchSize) throws IOException {
        String name = "reference-" + key(pairs);
        Path file = directory.resolve(name + ".safetensors");
        if (Files.exists(file)) {
            try {
                LogProbabilities read = ScoresFile.read(model.manager(), file, pairs.size());
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
        Path partial = directory.resolve(name + ".partial.safetensors");
        UnfinishedScores scores = UnfinishedScores.open(model.manager(), partial, pairs.size());
        ReferenceScores.complete(scores, model, reference.role(), pairs, batchSize);
        return scores.finish(file);
    }

    private String key(PairBatches pairs) {
        MessageDigest digest = Sha256.digest();
        String content = reference.fingerprint() + " " + precision + " " + pairs.fingerprint();
        digest.update(content.getBytes(StandardCharsets.UTF_8));
        return Sha256.hex(digest);
    }
}
