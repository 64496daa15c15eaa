package io.peft4j.cli;

import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.preference.PreferenceDataset;
import io.peft4j.tuning.preference.PreferenceOptions;
import io.peft4j.tuning.preference.PreferenceOptions.Truncation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How files of preferences are read. */
final class PairOptions {

    @Option(
            names = "--truncation-mode",
            paramLabel = "END",
            defaultValue = "keep_start",
            description =
                    "Which end of a prompt with its answer is kept if it is longer than"
                            + " --max-length: keep_start, which drops pairs whose prompt leaves no"
                            + " room, or keep_end (default: ${DEFAULT-VALUE}).")
    private String truncation;

    void check() {
        Truncation unused = truncation();
    }

    Truncation truncation() {
        return switch (truncation) {
            case "keep_start" -> Truncation.KEEP_START;
            case "keep_end" -> Truncation.KEEP_END;
            default ->
                    throw new UsageException(
                            "--truncation-mode must be keep_start or keep_end, but is \""
                                    + truncation
                                    + "\"");
        };
    }

    /** Reads pairs; what was cut or left out is said. */
    PreferenceDataset read(
            Path file,
            ModelConfig config,
            @Nullable Tokenizer tokenizer,
            int maxLength,
            PrintWriter err)
            throws IOException {
        int limit = Math.min(maxLength, config.contextLength());
        PreferenceDataset dataset =
                PreferenceDataset.read(
                        file,
                        tokenizer,
                        new PreferenceOptions(config.vocabularySize(), limit, truncation()));
        tell(err, file, dataset.truncatedRows(), "were cut to " + limit + " tokens");
        tell(
                err,
                file,
                dataset.droppedRows(),
                "are left out: their prompts leave no room in " + limit + " tokens");
        tell(
                err,
                file,
                dataset.mismatchedPrompts(),
                "encode the prompt otherwise with an answer than alone");
        return dataset;
    }

    private static void tell(PrintWriter err, Path file, int count, String what) {
        if (count > 0) {
            err.println("peft4j: " + file + ": " + count + " pairs " + what);
        }
    }
}
