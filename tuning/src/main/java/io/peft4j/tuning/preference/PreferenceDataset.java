package io.peft4j.tuning.preference;

import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.JsonLines;
import io.peft4j.tuning.RowFields;
import io.peft4j.tuning.TextEncoder;
import io.peft4j.tuning.preference.PreferenceOptions.Truncation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a JSON Lines file of preferences, in TRL's formats, told row by row:
 *
 * <pre>
 * {"prompt": "…", "chosen": "…", "rejected": "…"}
 * {"chosen": "…", "rejected": "…"}                        the prompt is what they share
 * {"prompt": [messages], "chosen": [messages], "rejected": [messages]}
 * {"chosen": [messages], "rejected": [messages]}          the prompt is what they share
 * {"prompt_ids": […], "chosen_ids": […], "rejected_ids": […]}
 * </pre>
 *
 * <p>Blank lines are skipped.
 */
public final class PreferenceDataset {

    private final List<PreferencePair> pairs;
    private final int truncatedRows;
    private final int droppedRows;
    private final int mismatchedPrompts;

    private PreferenceDataset(
            List<PreferencePair> pairs, int truncatedRows, int droppedRows, int mismatchedPrompts) {
        this.pairs = List.copyOf(pairs);
        this.truncatedRows = truncatedRows;
        this.droppedRows = droppedRows;
        this.mismatchedPrompts = mismatchedPrompts;
    }

    /**
     * Reads a file.
     *
     * @param file the JSON Lines, UTF-8
     * @param tokenizer encodes text; null if all rows are ids
     * @param options what the rows must fit
     * @return the pairs
     * @throws DatasetException if a row cannot be used, the message names file and line; or if none
     *     is left
     * @throws IOException if the file cannot be read
     */
    public static PreferenceDataset read(
            Path file, @Nullable Tokenizer tokenizer, PreferenceOptions options)
            throws IOException {
        PreferenceReader reader =
                new PreferenceReader(tokenizer == null ? null : TextEncoder.of(tokenizer));
        List<PreferencePair> pairs = new ArrayList<>();
        int[] counts = new int[2];
        JsonLines.read(
                file,
                (where, json) -> {
                    RowFields row = new RowFields(where, json);
                    PreferenceReader.Tokens tokens = reader.read(row);
                    PreferencePair whole = tokens.pair();
                    row.requireInVocabulary(whole.chosen().ids(), options.vocabularySize());
                    row.requireInVocabulary(whole.rejected().ids(), options.vocabularySize());
                    if (options.truncation() == Truncation.KEEP_START
                            && tokens.promptLength() >= options.maxLength()) {
                        counts[1]++;
                        return;
                    }
                    counts[0] += whole.length() > options.maxLength() ? 1 : 0;
                    pairs.add(
                            new PreferencePair(
                                    cut(whole.chosen(), options), cut(whole.rejected(), options)));
                });
        if (pairs.isEmpty()) {
            throw new DatasetException(
                    file
                            + ": expected one pair at least, found none"
                            + (counts[1] == 0
                                    ? ""
                                    : "; the prompts of all "
                                            + counts[1]
                                            + " rows fill the length of "
                                            + options.maxLength()
                                            + " tokens"));
        }
        return new PreferenceDataset(pairs, counts[0], counts[1], reader.mismatchedPrompts());
    }

    private static Example cut(Example example, PreferenceOptions options) {
        int length = example.length();
        int limit = options.maxLength();
        if (length <= limit) {
            return example;
        }
        int from = options.truncation() == Truncation.KEEP_END ? length - limit : 0;
        return new Example(
                Arrays.copyOfRange(example.ids(), from, from + limit),
                Arrays.copyOfRange(example.labels(), from, from + limit));
    }

    /**
     * Returns the pairs.
     *
     * @return in file order
     */
    public List<PreferencePair> pairs() {
        return pairs;
    }

    /**
     * Returns the better answers alone, for supervised fine-tuning before preferences are learned,
     * as "Is DPO Superior to PPO for LLM Alignment?" (Xu et al., arXiv:2404.10719) advises.
     *
     * @return in file order
     */
    public List<Example> chosen() {
        return pairs.stream().map(PreferencePair::chosen).toList();
    }

    /**
     * Counts the pairs that were cut.
     *
     * @return how many of the pairs had a sequence longer than the limit
     */
    public int truncatedRows() {
        return truncatedRows;
    }

    /**
     * Counts the rows whose prompt alone fills the limit: they are not among the pairs.
     *
     * @return how many rows
     */
    public int droppedRows() {
        return droppedRows;
    }

    /**
     * Counts the rows whose prompt is encoded otherwise alone than before an answer, so that the
     * border between them may be off by a token. TRL warns about the same.
     *
     * @return how many rows
     */
    public int mismatchedPrompts() {
        return mismatchedPrompts;
    }
}
