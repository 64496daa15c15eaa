package io.peft4j.tuning.reward;

import io.peft4j.models.Message;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.RowFields;
import io.peft4j.tuning.TextEncoder;
import io.peft4j.tuning.preference.PreferencePair;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns a row into a pair as TRL 1.13's {@code RewardTrainer} does, see {@link RewardDataset}. */
final class RewardReader {

    private static final String SHAPES =
            "{\"chosen\": …, \"rejected\": …}, of texts or of messages, with or without a"
                    + " \"prompt\", or {\"chosen_ids\": […], \"rejected_ids\": […]}";

    private final @Nullable TextEncoder encoder;

    RewardReader(@Nullable TextEncoder encoder) {
        this.encoder = encoder;
    }

    PreferencePair read(RowFields row) throws DatasetException {
        for (String answer : List.of("chosen", "rejected")) {
            if (!row.has(answer) && !row.has(answer + "_ids")) {
                throw row.refused("expected " + SHAPES + ", found the keys " + row.json().keySet());
            }
        }
        return new PreferencePair(
                text(row, "chosen"),
                text(row, "rejected"),
                row.has("margin") ? row.number("margin") : 0);
    }

    private Example text(RowFields row, String answer) throws DatasetException {
        long[] ids = ids(row, answer);
        if (ids.length == 0) {
            throw row.refused("expected one token at least in \"" + answer + "\", found none");
        }
        return Example.of(ids);
    }

    private long[] ids(RowFields row, String answer) throws DatasetException {
        if (row.has(answer + "_ids")) {
            long[] own = row.longs(answer + "_ids");
            return row.has("prompt_ids") ? join(row.longs("prompt_ids"), own) : own;
        }
        if (row.has("tools") || row.has("chat_template_kwargs")) {
            throw row.refused("expected no \"tools\" and no \"chat_template_kwargs\", found some");
        }
        if (encoder == null) {
            throw row.refused(
                    "expected \""
                            + answer
                            + "_ids\", because there is no tokenizer to encode text with, found"
                            + " the keys "
                            + row.json().keySet());
        }
        if (row.isText(answer)) {
            String prompt = row.has("prompt") ? row.text("prompt") : "";
            return encoder.encode(prompt + encoder.ended(row, row.text(answer)));
        }
        List<Message> conversation = new ArrayList<>();
        if (row.has("prompt")) {
            conversation.addAll(row.messages("prompt"));
        }
        conversation.addAll(row.messages(answer));
        return encoder.encodeChat(row, conversation, false);
    }

    private static long[] join(long[] first, long[] second) {
        long[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }
}
