package io.peft4j.cli;

import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.DatasetOptions;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.SftDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads the files of {@code --data} and {@code --eval-data} for a model. */
final class Datasets {

    private Datasets() {}

    /** Reads rows for evaluation: one that is longer than the context is an error. */
    static List<Example> whole(Path file, LoadedModel loaded, AnswersOption answers)
            throws IOException {
        return whole(file, loaded.model().config(), loaded.tokenizer().orElse(null), answers);
    }

    /** The same, without the model's weights. */
    static List<Example> whole(
            Path file, ModelConfig config, @Nullable Tokenizer tokenizer, AnswersOption answers)
            throws IOException {
        return SftDataset.read(
                        file,
                        tokenizer,
                        DatasetOptions.evaluation(config.vocabularySize(), config.contextLength())
                                .withAssistantOnlyLoss(answers.assistantOnly()))
                .examples();
    }

    /**
     * Reads rows for training: one that is longer than the limit, or than the context, loses its
     * end, and that is said.
     */
    static List<Example> training(
            Path file, LoadedModel loaded, int maxLength, AnswersOption answers, PrintWriter err)
            throws IOException {
        ModelConfig config = loaded.model().config();
        return training(file, config, loaded.tokenizer().orElse(null), maxLength, answers, err);
    }

    /** The same, without the model's weights. */
    static List<Example> training(
            Path file,
            ModelConfig config,
            @Nullable Tokenizer tokenizer,
            int maxLength,
            AnswersOption answers,
            PrintWriter err)
            throws IOException {
        int limit = Math.min(maxLength, config.contextLength());
        SftDataset dataset =
                SftDataset.read(
                        file,
                        tokenizer,
                        DatasetOptions.training(config.vocabularySize(), limit)
                                .withAssistantOnlyLoss(answers.assistantOnly()));
        int rows = dataset.examples().size();
        tell(err, file, dataset.truncatedRows(), rows, "were cut to " + limit + " tokens");
        tell(err, file, dataset.unlabelledRows(), rows, "have no label and teach nothing");
        tell(
                err,
                file,
                dataset.mismatchedPrompts(),
                rows,
                "encode the prompt otherwise with its completion than alone");
        return dataset.examples();
    }

    private static void tell(PrintWriter err, Path file, int count, int rows, String what) {
        if (count > 0) {
            err.println("peft4j: " + file + ": " + count + " of " + rows + " rows " + what);
        }
    }
}
