package io.peft4j.tuning.preference;

import io.peft4j.models.Message;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.RowFields;
import io.peft4j.tuning.TextEncoder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Turns a row into a pair as TRL 1.13's {@code DPOTrainer} does.
 *
 * <ul>
 *   <li>Without a prompt, what chosen and rejected begin with alike is the prompt: characters of
 *       texts (less a space at the end), messages of conversations. Where one of them is the
 *       beginning of the other, the last element that they share stays with the answers.
 *   <li>Answers of text get the EOS token's text at their end if they do not end with it.
 *   <li>The prompt is encoded alone and with each answer; the tokens beyond the prompt's number are
 *       the answer, and stand behind the prompt as it is encoded alone. Where the first tokens are
 *       not the prompt's, the row is counted and used all the same.
 * </ul>
 */
final class PreferenceReader {

    private static final String SHAPES =
            "{\"prompt\": …, \"chosen\": …, \"rejected\": …} or {\"chosen\": …, \"rejected\": …}, of"
                    + " texts or of messages, or {\"prompt_ids\": […], \"chosen_ids\": […],"
                    + " \"rejected_ids\": […]}";

    private final @Nullable TextEncoder encoder;
    private int mismatchedPrompts;

    PreferenceReader(@Nullable TextEncoder encoder) {
        this.encoder = encoder;
    }

    int mismatchedPrompts() {
        return mismatchedPrompts;
    }

    /** Prompt and answers as tokens. */
    static final class Tokens {

        private final long[] prompt;
        private final long[] chosen;
        private final long[] rejected;

        Tokens(long[] prompt, long[] chosen, long[] rejected) {
            this.prompt = prompt;
            this.chosen = chosen;
            this.rejected = rejected;
        }

        int promptLength() {
            return prompt.length;
        }

        PreferencePair pair() {
            return new PreferencePair(example(chosen), example(rejected));
        }

        private Example example(long[] answer) {
            long[] ids = join(prompt, answer);
            long[] labels = ids.clone();
            Arrays.fill(labels, 0, prompt.length, Example.IGNORED);
            return new Example(ids, labels);
        }
    }

    Tokens read(RowFields row) throws DatasetException {
        if (row.has("prompt_ids")) {
            return nonEmpty(
                    row,
                    new Tokens(
                            row.longs("prompt_ids"),
                            row.longs("chosen_ids"),
                            row.longs("rejected_ids")));
        }
        if (!row.has("chosen") || !row.has("rejected")) {
            throw row.refused("expected " + SHAPES + ", found the keys " + row.json().keySet());
        }
        if (row.has("tools") || row.has("chat_template_kwargs")) {
            throw row.refused("expected no \"tools\" and no \"chat_template_kwargs\", found some");
        }
        return nonEmpty(row, row.isText("chosen") ? texts(row) : conversations(row));
    }

    private Tokens texts(RowFields row) throws DatasetException {
        TextEncoder text = encoder(row);
        String prompt;
        String chosen = row.text("chosen");
        String rejected = row.text("rejected");
        if (row.has("prompt")) {
            prompt = row.text("prompt");
        } else {
            int shared = sharedCharacters(chosen, rejected);
            prompt = chosen.substring(0, shared);
            chosen = chosen.substring(shared);
            rejected = rejected.substring(shared);
        }
        return tokens(
                text.encode(prompt),
                text.encode(prompt + text.ended(row, chosen)),
                text.encode(prompt + text.ended(row, rejected)));
    }

    private Tokens conversations(RowFields row) throws DatasetException {
        TextEncoder text = encoder(row);
        List<Message> chosen = row.messages("chosen");
        List<Message> rejected = row.messages("rejected");
        List<Message> prompt;
        if (row.has("prompt")) {
            prompt = row.messages("prompt");
            chosen = join(prompt, chosen);
            rejected = join(prompt, rejected);
        } else {
            prompt = chosen.subList(0, sharedMessages(chosen, rejected));
            if (prompt.isEmpty()) {
                throw row.refused(
                        "expected \"chosen\" and \"rejected\" to begin with the same message, which"
                                + " is the prompt, found none in common");
            }
        }
        return tokens(
                text.encodeChat(row, prompt, true),
                text.encodeChat(row, chosen, false),
                text.encodeChat(row, rejected, false));
    }

    private Tokens tokens(long[] prompt, long[] withChosen, long[] withRejected) {
        if (!begins(withChosen, prompt) || !begins(withRejected, prompt)) {
            mismatchedPrompts++;
        }
        return new Tokens(prompt, beyond(withChosen, prompt), beyond(withRejected, prompt));
    }

    private static boolean begins(long[] ids, long[] prompt) {
        return ids.length >= prompt.length
                && Arrays.equals(ids, 0, prompt.length, prompt, 0, prompt.length);
    }

    private static long[] beyond(long[] ids, long[] prompt) {
        return Arrays.copyOfRange(ids, Math.min(prompt.length, ids.length), ids.length);
    }

    /** Counts the chars of the prompt; pairs of surrogates are one character. */
    private static int sharedCharacters(String chosen, String rejected) {
        int[] one = chosen.codePoints().toArray();
        int[] other = rejected.codePoints().toArray();
        int shortest = Math.min(one.length, other.length);
        int shared = Arrays.mismatch(one, other);
        boolean differ = shared >= 0 && shared < shortest;
        shared = differ ? shared : Math.max(0, shortest - 1);
        if (differ && shared > 0 && one[shared - 1] == ' ') {
            shared--;
        }
        return chosen.offsetByCodePoints(0, shared);
    }

    private static int sharedMessages(List<Message> chosen, List<Message> rejected) {
        int shortest = Math.min(chosen.size(), rejected.size());
        for (int i = 0; i < shortest; i++) {
            if (!chosen.get(i).equals(rejected.get(i))) {
                return i;
            }
        }
        return Math.max(0, shortest - 1);
    }

    private TextEncoder encoder(RowFields row) throws DatasetException {
        if (encoder == null) {
            throw row.refused(
                    "expected \"prompt_ids\", because there is no tokenizer to encode text with,"
                            + " found the keys "
                            + row.json().keySet());
        }
        return encoder;
    }

    private static Tokens nonEmpty(RowFields row, Tokens tokens) throws DatasetException {
        int shortest = Math.min(tokens.chosen.length, tokens.rejected.length);
        if (tokens.prompt.length + shortest == 0) {
            throw row.refused("expected one token at least in either answer, found none");
        }
        return tokens;
    }

    private static List<Message> join(List<Message> first, List<Message> second) {
        List<Message> both = new ArrayList<>(first);
        both.addAll(second);
        return both;
    }

    private static long[] join(long[] first, long[] second) {
        long[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }
}
