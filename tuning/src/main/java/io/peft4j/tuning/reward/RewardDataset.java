package io.peft4j.tuning.reward;

import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.JsonLines;
import io.peft4j.tuning.RowFields;
import io.peft4j.tuning.TextEncoder;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a JSON Lines file of preferences as a reward model learns from them, told row by row:
 *
 * <pre>
 * {"prompt": "…", "chosen": "…", "rejected": "…"}
 * {"chosen": "…", "rejected": "…"}                        each the whole text
 * {"prompt": [messages], "chosen": [messages], "rejected": [messages]}
 * {"chosen": [messages], "rejected": [messages]}          each the whole conversation
 * {"prompt_ids": […], "chosen_ids": […], "rejected_ids": […]}, the first optional
 * </pre>
 *
 * <p>A row may have a {@code "margin"}, a number. Blank lines are skipped.
 *
 * <p>As in TRL 1.13's {@code RewardTrainer} prompt and answer are encoded together. Answers of text
 * get the EOS token's text at their end if they do not end with it, and a pair of which one text is
 * too long is left out: without its end, a text would be judged by another token.
 */
public final class RewardDataset {

    private final List<PreferencePair> pairs;
    private final int droppedRows;

    private RewardDataset(List<PreferencePair> pairs, int droppedRows) {
        this.pairs = List.copyOf(pairs);
        this.droppedRows = droppedRows;
    }

    /**
     * Reads a file.
     *
     * @param file the JSON Lines, UTF-8
     * @param tokenizer encodes text; null if all rows are ids
     * @param vocabularySize token ids are below it
     * @param maxLength the most tokens of a text; not more than the model's context
     * @return the pairs
     * @throws DatasetException if a row cannot be used, the message names file and line; or if none
     *     is left
     * @throws IOException if the file cannot be read
     */
    public static RewardDataset read(
            Path file, @Nullable Tokenizer tokenizer, long vocabularySize, int maxLength)
            throws IOException {
        RewardReader reader =
                new RewardReader(tokenizer == null ? null : TextEncoder.of(tokenizer));
        List<PreferencePair> pairs = new ArrayList<>();
        int[] dropped = new int[1];
        JsonLines.read(
                file,
                (where, json) -> {
                    RowFields row = new RowFields(where, json);
                    PreferencePair pair = reader.read(row);
                    for (Example text : List.of(pair.chosen(), pair.rejected())) {
                        row.requireInVocabulary(text.ids(), vocabularySize);
                    }
                    if (pair.length() > maxLength) {
                        dropped[0]++;
                    } else {
                        pairs.add(pair);
                    }
                });
        if (pairs.isEmpty()) {
            throw new DatasetException(
                    file
                            + ": expected one pair at least, found none"
                            + (dropped[0] == 0
                                    ? ""
                                    : "; all "
                                            + dropped[0]
                                            + " rows have more than "
                                            + maxLength
                                            + " tokens"));
        }
        return new RewardDataset(pairs, dropped[0]);
    }

    /**
     * Returns the pairs.
     *
     * @return in file order; labels do not matter
     */
    public List<PreferencePair> pairs() {
        return pairs;
    }

    /**
     * Counts the rows that were left out.
     *
     * @return how many pairs were too long
     */
    public int droppedRows() {
        return droppedRows;
    }
}
