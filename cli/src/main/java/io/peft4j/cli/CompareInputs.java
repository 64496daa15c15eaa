package io.peft4j.cli;

import io.peft4j.cli.compare.Fingerprints;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.DataFingerprint;
import io.peft4j.tuning.Example;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What all runs of a comparison read, read once, without the model's weights.
 *
 * @param source the model as it was named
 * @param directory where it is
 * @param config its config
 * @param data the training data's file
 * @param evalData the held-out data's file
 * @param examples the training data
 * @param heldOut the held-out data
 */
record CompareInputs(
        Source source,
        Path directory,
        ModelConfig config,
        Path data,
        Path evalData,
        List<Example> examples,
        List<Example> heldOut) {

    static CompareInputs read(
            Source source,
            Path data,
            Path evalData,
            HyperParameters training,
            AnswersOption answers,
            PlaceOptions place,
            PrintWriter err)
            throws IOException {
        Path directory = source.fetchModel(err);
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        Path given = place.tokenizer();
        try (Tokenizer tokenizer =
                given != null ? Tokenizer.load(given) : Tokenizer.find(directory).orElse(null)) {
            return new CompareInputs(
                    source,
                    directory,
                    config,
                    data,
                    evalData,
                    Datasets.training(data, config, tokenizer, training.maxLength(), answers, err),
                    Datasets.whole(evalData, config, tokenizer, answers));
        }
    }

    /** Tells whether a child process would read the same once more; a pipe's reader is its last. */
    boolean canBeReadAgain() {
        return Files.isRegularFile(data) && Files.isRegularFile(evalData);
    }

    /** The hashes that a resumed experiment must share. */
    Hashes hashes() throws IOException {
        return new Hashes(
                Fingerprints.ofModel(directory),
                DataFingerprint.of(examples),
                DataFingerprint.of(heldOut));
    }

    /**
     * SHA-256 of what is read.
     *
     * @param base the model's config and weights
     * @param data the training data's tokens and labels
     * @param heldOut the held-out data's
     */
    record Hashes(String base, String data, String heldOut) {}

    int longest() {
        return examples.stream().mapToInt(Example::length).max().orElse(1);
    }
}
