package io.peft4j.models;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import io.peft4j.jinja.Rendering;
import io.peft4j.jinja.Rendering.Span;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A conversation's text, and where in it the assistant speaks.
 *
 * <p>A template with generation blocks marks these places, and a token belongs to one as
 * transformers has it with {@code return_assistant_tokens_mask}. For any other template they are
 * found by writing the conversation up to each answer, with the prompt for it, and up to its end:
 * the answer is what the whole text has between the two. That gives what TRL's own marked templates
 * give. Where the beginning of the whole text is another than the shorter text (a template that
 * rewrites earlier turns), the answers cannot be told apart and the conversation is refused.
 *
 * @param text the text
 * @param spans the places, in order
 * @param marked whether the template marks them
 */
record AssistantText(String text, List<Span> spans, boolean marked) {

    private static final String ASSISTANT = "assistant";

    static AssistantText of(ChatTemplate template, List<Message> messages) {
        Rendering whole = template.rendering(messages, ChatOptions.whole());
        if (template.marksAssistant()) {
            return new AssistantText(whole.text(), whole.generated(), true);
        }
        List<Span> spans = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            if (messages.get(i).role().equals(ASSISTANT)) {
                spans.add(answer(template, messages, i, whole.text()));
            }
        }
        return new AssistantText(whole.text(), spans, false);
    }

    private static Span answer(
            ChatTemplate template, List<Message> messages, int turn, String whole) {
        String before =
                turn == 0 ? "" : template.render(messages.subList(0, turn), ChatOptions.prompt());
        boolean last = turn == messages.size() - 1;
        int end =
                last
                        ? whole.length()
                        : commonLength(
                                whole,
                                template.render(
                                        messages.subList(0, turn + 1), ChatOptions.whole()));
        String content = messages.get(turn).content().strip();
        if (turn == 0
                || !whole.startsWith(before)
                || end < before.length()
                || !whole.substring(before.length(), end).contains(content)) {
            throw template.refused(
                    "expected a chat template with {% generation %} blocks around what the assistant"
                            + " says, or one that writes the beginning of a conversation as it"
                            + " writes it alone; found neither, at message "
                            + (turn + 1));
        }
        return new Span(before.length(), end);
    }

    private static int commonLength(String a, String b) {
        int length = 0;
        while (length < Math.min(a.length(), b.length()) && a.charAt(length) == b.charAt(length)) {
            length++;
        }
        return length;
    }

    /**
     * Tells which tokens are the assistant's.
     *
     * @param tokens where each token is in the text, in code points
     */
    boolean[] mask(@Nullable CharSpan[] tokens) {
        boolean[] mask = new boolean[tokens.length];
        for (Span span : spans) {
            int begin = text.codePointCount(0, span.begin());
            int end = text.codePointCount(0, span.end());
            if (marked) {
                mark(mask, tokens, begin, end);
            } else {
                for (int i = 0; i < tokens.length; i++) {
                    CharSpan token = tokens[i];
                    mask[i] |=
                            token != null
                                    && token.getEnd() > begin
                                    && token.getEnd() <= end
                                    && token.getEnd() > token.getStart();
                }
            }
        }
        return mask;
    }

    /** From the token of the first character to that of the last. */
    private static void mark(boolean[] mask, @Nullable CharSpan[] tokens, int begin, int end) {
        int first = tokenAt(tokens, begin);
        if (first < 0) {
            return;
        }
        int last = tokenAt(tokens, end - 1);
        // transformers takes token 0 for none
        int stop = last > 0 ? last + 1 : tokens.length;
        for (int i = first; i < stop; i++) {
            mask[i] = true;
        }
    }

    private static int tokenAt(@Nullable CharSpan[] tokens, int character) {
        for (int i = 0; i < tokens.length; i++) {
            CharSpan token = tokens[i];
            if (token != null && token.getStart() <= character && character < token.getEnd()) {
                return i;
            }
        }
        return -1;
    }
}
