package io.peft4j.tuning.online;

import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.JsonLines;
import io.peft4j.tuning.RowFields;
import io.peft4j.tuning.TextEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The prompts of a JSON Lines file:
 *
 * <pre>
 * {"prompt": "…", …}
 * {"prompt": [messages], …}
 * </pre>
 *
 * <p>Whatever else a row has, such as the completion of data for supervised fine-tuning, is for
 * reward functions. Blank lines are skipped.
 */
public final class PromptDataset {

    private final List<Prompt> prompts;
    private final int droppedRows;

    private PromptDataset(List<Prompt> prompts, int droppedRows) {
        this.prompts = List.copyOf(prompts);
        this.droppedRows = droppedRows;
    }

    /**
     * Reads a file.
     *
     * @param file the JSON Lines, UTF-8
     * @param tokenizer encodes the prompts
     * @param maxLength the most tokens of a prompt; longer ones are left out. A prompt and its
     *     answer must fit the model's context together
     * @return the prompts
     * @throws DatasetException if a row cannot be used, the message names file and line; or if none
     *     is left
     * @throws IOException if the file cannot be read
     */
    public static PromptDataset read(Path file, Tokenizer tokenizer, int maxLength)
            throws IOException {
        List<Prompt> prompts = new ArrayList<>();
        int[] dropped = new int[1];
        TextEncoder encoder = TextEncoder.of(tokenizer);
        JsonLines.read(
                file,
                (where, json) -> {
                    Prompt prompt = read(new RowFields(where, json), encoder);
                    if (prompt.ids().length > maxLength) {
                        dropped[0]++;
                    } else {
                        prompts.add(prompt);
                    }
                });
        if (prompts.isEmpty()) {
            throw new DatasetException(
                    file
                            + ": expected one prompt at least, found none"
                            + (dropped[0] == 0
                                    ? ""
                                    : "; all "
                                            + dropped[0]
                                            + " rows have more than "
                                            + maxLength
                                            + " tokens"));
        }
        return new PromptDataset(prompts, dropped[0]);
    }

    private static Prompt read(RowFields row, TextEncoder encoder) throws DatasetException {
        if (!row.has("prompt")) {
            throw row.refused(
                    "expected {\"prompt\": …}, a text or messages, found the keys "
                            + row.json().keySet());
        }
        boolean isText = row.isText("prompt");
        String text =
                isText ? row.text("prompt") : encoder.chatText(row, row.messages("prompt"), true);
        long[] ids = encoder.tokenizer().encode(text, isText); // a template has its special tokens
        if (ids.length == 0) {
            throw row.refused("expected a prompt of one token at least, found none");
        }
        return new Prompt(ids, text, row.json());
    }

    /**
     * Returns the prompts.
     *
     * @return in file order
     */
    public List<Prompt> prompts() {
        return prompts;
    }

    /**
     * Counts the rows that were left out.
     *
     * @return how many prompts were too long
     */
    public int droppedRows() {
        return droppedRows;
    }
}
