package io.peft4j.tuning;

import io.peft4j.models.ChatTokens;
import io.peft4j.models.Message;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Turns a row into ids and labels as TRL 1.13's {@code SFTTrainer} does.
 *
 * <ul>
 *   <li>Text gets the EOS token's text at its end if it does not end with it, and the special
 *       tokens that the tokenizer adds by itself; so does a completion of text.
 *   <li>A prompt is told from its completion by length: both are encoded together, the prompt once
 *       more alone, and the tokens beyond its number have the loss. Where the first tokens are not
 *       the prompt's, the row is counted and used all the same.
 *   <li>A conversation is what the chat template makes of it; nothing is added. All of its tokens
 *       have a loss, those of a prompt's completion only if there is a prompt.
 *   <li>Given {@code labels} win over masks. A {@code completion_mask} beside {@code input_ids} is
 *       obeyed, as TRL does with {@code completion_only_loss=True}.
 *   <li>Instruction, input and output become one text, the way CommonSense-170k is trained on; TRL
 *       has no such rows.
 *   <li>With {@code assistant_only_loss} every row is a conversation, and the tokens that the
 *       assistant does not say have no loss, in a completion either.
 * </ul>
 */
final class RowReader {

    private static final String SHAPES =
            "{\"text\": …}, {\"prompt\": …, \"completion\": …}, {\"messages\": […]},"
                    + " {\"instruction\": …, \"output\": …} with optional \"input\", or"
                    + " {\"input_ids\": […]} with optional \"labels\" or \"completion_mask\"";

    private final @Nullable TextEncoder encoder;
    private final boolean assistantOnly;
    private int mismatchedPrompts;

    RowReader(@Nullable TextEncoder encoder, boolean assistantOnly) {
        this.encoder = encoder;
        this.assistantOnly = assistantOnly;
    }

    int mismatchedPrompts() {
        return mismatchedPrompts;
    }

    Example read(RowFields row) throws DatasetException {
        if (assistantOnly && !isConversation(row)) {
            throw row.refused(
                    "expected a conversation (\"messages\", or \"prompt\" and \"completion\" of"
                            + " messages), because only the assistant's turns are to have a loss,"
                            + " found the keys "
                            + row.json().keySet());
        }
        if (row.has("input_ids")) {
            return tokens(row);
        }
        if (row.has("tools") || row.has("chat_template_kwargs")) {
            throw row.refused("expected no \"tools\" and no \"chat_template_kwargs\", found some");
        }
        if (row.has("prompt") && row.has("completion")) {
            return promptAndCompletion(row);
        }
        if (row.has("messages") || row.has("conversations")) {
            List<Message> messages =
                    row.messages(row.has("messages") ? "messages" : "conversations");
            return assistantOnly
                    ? answers(row, encoder(row).encodeAnswers(row, messages))
                    : allLabelled(row, encoder(row).encodeChat(row, messages, false));
        }
        if (row.has("text")) {
            return allLabelled(row, text(row, row.text("text")));
        }
        if (row.has("instruction") && row.has("output")) {
            return allLabelled(row, text(row, instruction(row)));
        }
        throw row.refused("expected " + SHAPES + ", found the keys " + row.json().keySet());
    }

    private static Example tokens(RowFields row) throws DatasetException {
        long[] ids = row.longs("input_ids");
        if (row.has("labels")) {
            long[] labels = row.longs("labels");
            if (labels.length != ids.length) {
                throw row.wrongLength("labels", ids.length, labels.length);
            }
            return example(row, ids, labels);
        }
        long[] labels = ids;
        for (String key : List.of("completion_mask", "assistant_masks")) {
            if (row.has(key)) {
                labels = masked(labels, row.mask(key, ids.length));
            }
        }
        return example(row, ids, labels);
    }

    private Example promptAndCompletion(RowFields row) throws DatasetException {
        TextEncoder text = encoder(row);
        long[] prompt;
        long[] both;
        long[] labels = null;
        if (row.isText("prompt")) {
            prompt = text.encode(row.text("prompt"));
            both = text.encode(row.text("prompt") + text.ended(row, row.text("completion")));
        } else {
            List<Message> messages = new ArrayList<>(row.messages("prompt"));
            prompt = text.encodeChat(row, messages, true);
            messages.addAll(row.messages("completion"));
            if (assistantOnly) {
                ChatTokens chat = text.encodeAnswers(row, messages);
                both = chat.ids();
                labels = masked(both, chat.assistant());
            } else {
                both = text.encodeChat(row, messages, false);
            }
        }
        int length = Math.min(prompt.length, both.length);
        if (prompt.length > both.length || !Arrays.equals(prompt, 0, length, both, 0, length)) {
            mismatchedPrompts++;
        }
        labels = labels == null ? both.clone() : labels;
        Arrays.fill(labels, 0, length, Example.IGNORED);
        return example(row, both, labels);
    }

    private static boolean isConversation(RowFields row) {
        return !row.has("input_ids")
                && (row.has("messages")
                        || row.has("conversations")
                        || (row.has("prompt") && !row.isText("prompt")));
    }

    private static Example answers(RowFields row, ChatTokens chat) throws DatasetException {
        return example(row, chat.ids(), masked(chat.ids(), chat.assistant()));
    }

    private TextEncoder encoder(RowFields row) throws DatasetException {
        if (encoder == null) {
            throw row.refused(
                    "expected \"input_ids\", because there is no tokenizer to encode text with, found"
                            + " the keys "
                            + row.json().keySet());
        }
        return encoder;
    }

    private long[] text(RowFields row, String content) throws DatasetException {
        TextEncoder text = encoder(row);
        return text.encode(text.ended(row, content));
    }

    private static String instruction(RowFields row) throws DatasetException {
        String input = row.has("input") ? row.text("input") : "";
        return InstructionPrompt.of(row.text("instruction"), input) + row.text("output");
    }

    private static long[] masked(long[] labels, boolean[] mask) {
        long[] masked = labels.clone();
        for (int i = 0; i < masked.length; i++) {
            masked[i] = mask[i] ? masked[i] : Example.IGNORED;
        }
        return masked;
    }

    private static Example allLabelled(RowFields row, long[] ids) throws DatasetException {
        return example(row, ids, ids);
    }

    private static Example example(RowFields row, long[] ids, long[] labels)
            throws DatasetException {
        if (ids.length == 0) {
            throw row.refused("expected one token at least, found none");
        }
        return new Example(ids, labels);
    }
}
