package io.peft4j.tuning;

import io.peft4j.models.ChatTemplateException;
import io.peft4j.models.ChatTokens;
import io.peft4j.models.Message;
import io.peft4j.models.Tokenizer;
import java.util.List;
import java.util.Optional;

/**
 * A tokenizer, as rows of text need it.
 *
 * @param tokenizer the tokenizer
 * @param endOfSequence the text of its EOS token, if it has one
 */
public record TextEncoder(Tokenizer tokenizer, Optional<String> endOfSequence) {

    /**
     * Wraps a tokenizer.
     *
     * @param tokenizer the tokenizer
     * @return the encoder
     */
    public static TextEncoder of(Tokenizer tokenizer) {
        Optional<String> end =
                tokenizer.eosId().stream()
                        .mapToObj(id -> tokenizer.decode(new long[] {id}, false))
                        .findFirst();
        return new TextEncoder(tokenizer, end);
    }

    /**
     * Returns the ids of a text, with the special tokens that the tokenizer adds by itself.
     *
     * @param text the text
     * @return its ids
     */
    public long[] encode(String text) {
        return tokenizer.encode(text, true);
    }

    /**
     * Returns the ids of a conversation under the chat template, which places every special token.
     *
     * @param row whose conversation it is, for messages
     * @param messages the conversation
     * @param addGenerationPrompt whether the assistant's turn is begun at the end
     * @return its ids
     * @throws DatasetException if there is no template, or it refuses the conversation
     */
    public long[] encodeChat(RowFields row, List<Message> messages, boolean addGenerationPrompt)
            throws DatasetException {
        return tokenizer.encode(chatText(row, messages, addGenerationPrompt), false);
    }

    /**
     * Returns a conversation as the chat template writes it.
     *
     * @param row whose conversation it is, for messages
     * @param messages the conversation
     * @param addGenerationPrompt whether the assistant's turn is begun at the end
     * @return its text, special tokens included
     * @throws DatasetException if there is no template, or it refuses the conversation
     */
    public String chatText(RowFields row, List<Message> messages, boolean addGenerationPrompt)
            throws DatasetException {
        try {
            return tokenizer.applyChatTemplate(messages, addGenerationPrompt);
        } catch (ChatTemplateException e) {
            throw new DatasetException(row.where() + e.getMessage(), e);
        }
    }

    /**
     * Returns the ids of a conversation and which of them the assistant says.
     *
     * @throws DatasetException also if the assistant says nothing
     */
    ChatTokens encodeAnswers(RowFields row, List<Message> messages) throws DatasetException {
        ChatTokens chat;
        try {
            chat = tokenizer.encodeChat(messages);
        } catch (ChatTemplateException e) {
            throw new DatasetException(row.where() + e.getMessage(), e);
        }
        for (boolean assistant : chat.assistant()) {
            if (assistant) {
                return chat;
            }
        }
        throw row.refused(
                "expected a turn of the role \"assistant\", which alone is to have a loss, found"
                        + " none");
    }

    /**
     * Puts the EOS token's text at the end of a text that does not end with it.
     *
     * @param row whose text it is, for messages
     * @param text the text
     * @return the text with its end
     * @throws DatasetException if the tokenizer has no EOS token
     */
    public String ended(RowFields row, String text) throws DatasetException {
        String end =
                endOfSequence.orElseThrow(
                        () ->
                                row.refused(
                                        "expected a tokenizer with an eos_token, which ends the"
                                                + " text, found none"));
        return text.endsWith(end) ? text : text + end;
    }
}
