package io.peft4j.tuning.choice;

import io.peft4j.models.Tokenizer;
import java.util.Arrays;
import java.util.OptionalLong;

/**
 * Turns choices into tokens as lm-evaluation-harness 0.4.13 does for causal models.
 *
 * <ul>
 *   <li>White space at the end of a context goes to the continuation.
 *   <li>Both are encoded together, with the special tokens that the tokenizer adds by itself, and
 *       the context once more alone; what is longer than the context is the continuation.
 *   <li>A text that begins with the BOS token's text gets no special tokens.
 *   <li>Before a continuation without a context stands the BOS token, or else the EOS token.
 *   <li>What does not fit the model's context loses its beginning. The last token is never read, so
 *       that there is room for one more.
 * </ul>
 */
public final class ChoiceEncoder {

    private final Tokenizer tokenizer;
    private final int contextLength;
    private final OptionalLong prefix;
    private final String prefixText;
    private int truncated;

    /**
     * Creates an encoder.
     *
     * @param tokenizer the model's
     * @param contextLength the most tokens that the model reads
     */
    public ChoiceEncoder(Tokenizer tokenizer, int contextLength) {
        this.tokenizer = tokenizer;
        this.contextLength = contextLength;
        prefix = tokenizer.bosId().isPresent() ? tokenizer.bosId() : tokenizer.eosId();
        prefixText =
                prefix.isPresent() ? tokenizer.decode(new long[] {prefix.getAsLong()}, false) : "";
    }

    /**
     * Counts the choices whose context lost its beginning.
     *
     * @return how many of those encoded so far
     */
    public int truncated() {
        return truncated;
    }

    ScoredSequence encode(Choice choice) {
        return choice.context().isEmpty()
                ? encodeAlone(choice.continuation())
                : encodePair(choice.context(), choice.continuation());
    }

    private ScoredSequence encodeAlone(String continuation) {
        long[] ids = tokenizer.encode(continuation, false);
        if (prefix.isEmpty()) {
            throw new IllegalArgumentException(
                    "expected a tokenizer with a bos_token or an eos_token, which stands before a"
                            + " continuation without a context, found neither");
        }
        if (ids.length > 0 && ids[0] == prefix.getAsLong()) {
            return fitting(ids, ids.length - 1);
        }
        long[] all = new long[ids.length + 1];
        all[0] = prefix.getAsLong();
        System.arraycopy(ids, 0, all, 1, ids.length);
        return fitting(all, ids.length);
    }

    private ScoredSequence encodePair(String context, String continuation) {
        int end = PythonText.stripped(context);
        long[] all = encode(context + continuation);
        int before = encode(context.substring(0, end)).length;
        if (before == 0) {
            throw new IllegalArgumentException(
                    "expected a context of one token at least, found none in \"" + context + "\"");
        }
        return fitting(all, all.length - before);
    }

    private long[] encode(String text) {
        boolean begun = prefix.isPresent() && text.startsWith(prefixText);
        return tokenizer.encode(text, !begun);
    }

    private ScoredSequence fitting(long[] ids, int scored) {
        if (scored < 1 || scored > contextLength) {
            throw new IllegalArgumentException(
                    "expected a continuation of 1 to "
                            + contextLength
                            + " tokens, the model's context, found "
                            + Math.max(0, scored));
        }
        int longest = contextLength + 1;
        if (ids.length <= longest) {
            return new ScoredSequence(ids, scored);
        }
        truncated++;
        return new ScoredSequence(
                Arrays.copyOfRange(ids, ids.length - longest, ids.length), scored);
    }
}
