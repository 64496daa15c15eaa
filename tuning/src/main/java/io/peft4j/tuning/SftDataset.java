package io.peft4j.tuning;

import io.peft4j.models.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a JSON Lines file for supervised fine-tuning, in TRL's formats and that of
 * CommonSense-170k, told row by row:
 *
 * <pre>
 * {"text": "…"}                                        loss on all tokens
 * {"prompt": "…", "completion": "…"}                   loss on the completion
 * {"instruction": "…", "input": "…", "output": "…"}    loss on all tokens, {@link InstructionPrompt}
 * {"messages": [{"role": "user", "content": "…"}, …]}  loss on all tokens, chat template
 * {"prompt": [messages], "completion": [messages]}     loss on the completion, chat template
 * {"input_ids": […]}                                   loss on all tokens
 * {"input_ids": […], "labels": […]}                    loss where the label is not -100
 * {"input_ids": […], "completion_mask": […]}           loss where the mask is 1
 * </pre>
 *
 * <p>With {@link DatasetOptions#withAssistantOnlyLoss} all rows are conversations, and the loss is
 * on what the assistant says in them.
 *
 * <p>Blank lines are skipped. A row that is left without any label stays in its place, so that
 * batches in file order are what the file says (TRL drops such rows).
 */
public final class SftDataset {

    private final List<Example> examples;
    private final int truncatedRows;
    private final int mismatchedPrompts;
    private final int unlabelledRows;

    private SftDataset(List<Example> examples, int truncatedRows, int mismatchedPrompts) {
        this.examples = Collections.unmodifiableList(examples);
        this.truncatedRows = truncatedRows;
        this.mismatchedPrompts = mismatchedPrompts;
        unlabelledRows = (int) examples.stream().filter(e -> e.labelled() == 0).count();
    }

    /**
     * Reads a file.
     *
     * @param file the JSON Lines, UTF-8
     * @param tokenizer encodes text; null if all rows are {@code input_ids}
     * @param options what the rows must fit
     * @return the rows
     * @throws DatasetException if a row cannot be used; the message names file and line
     * @throws IOException if the file cannot be read
     */
    public static SftDataset read(Path file, @Nullable Tokenizer tokenizer, DatasetOptions options)
            throws IOException {
        RowReader reader =
                new RowReader(
                        tokenizer == null ? null : TextEncoder.of(tokenizer),
                        options.assistantOnlyLoss());
        List<Example> examples = new ArrayList<>();
        int[] truncated = {0};
        JsonLines.read(
                file,
                (where, json) -> {
                    RowFields row = new RowFields(where, json);
                    Example example = reader.read(row);
                    checkIds(row, example, options.vocabularySize());
                    if (example.length() > options.maxLength()) {
                        example = truncate(row, example, options);
                        truncated[0]++;
                    }
                    examples.add(example);
                });
        SftDataset dataset = new SftDataset(examples, truncated[0], reader.mismatchedPrompts());
        if (examples.isEmpty()) {
            throw new DatasetException(file + ": expected one row at least, found none");
        }
        if (dataset.unlabelledRows == examples.size()) {
            throw new DatasetException(
                    file
                            + ": expected a label on a token after the first in one row at least,"
                            + " found none in "
                            + examples.size()
                            + " rows"
                            + (truncated[0] > 0 ? " (" + truncated[0] + " of them were cut)" : ""));
        }
        return dataset;
    }

    private static void checkIds(RowFields row, Example example, long vocabularySize)
            throws DatasetException {
        for (int i = 0; i < example.length(); i++) {
            if (example.ids()[i] < 0 || example.ids()[i] >= vocabularySize) {
                throw outOfRange(row, "token id", example.ids()[i], i, vocabularySize);
            }
            long label = example.labels()[i];
            if (label != Example.IGNORED && (label < 0 || label >= vocabularySize)) {
                throw outOfRange(row, "label", label, i, vocabularySize);
            }
        }
    }

    private static DatasetException outOfRange(
            RowFields row, String what, long found, int at, long vocabularySize) {
        return row.refused(
                "expected a "
                        + what
                        + " from 0 to "
                        + (vocabularySize - 1)
                        + (what.equals("label") ? ", or -100" : "")
                        + ", found "
                        + found
                        + " at position "
                        + at);
    }

    private static Example truncate(RowFields row, Example example, DatasetOptions options)
            throws DatasetException {
        int limit = options.maxLength();
        if (!options.truncate()) {
            throw row.refused(
                    "expected at most "
                            + limit
                            + " tokens, found "
                            + example.length()
                            + "; nothing is cut here");
        }
        return new Example(
                Arrays.copyOf(example.ids(), limit), Arrays.copyOf(example.labels(), limit));
    }

    /**
     * Returns the rows.
     *
     * @return the examples in file order
     */
    public List<Example> examples() {
        return examples;
    }

    /**
     * Counts the rows that lost their end.
     *
     * @return how many rows were longer than the limit
     */
    public int truncatedRows() {
        return truncatedRows;
    }

    /**
     * Counts the rows whose prompt is encoded otherwise alone than before its completion, so that
     * the border between them may be off by a token. TRL warns about the same.
     *
     * @return how many rows
     */
    public int mismatchedPrompts() {
        return mismatchedPrompts;
    }

    /**
     * Counts the rows that contribute no loss.
     *
     * @return how many rows have no label after their first token
     */
    public int unlabelledRows() {
        return unlabelledRows;
    }
}
