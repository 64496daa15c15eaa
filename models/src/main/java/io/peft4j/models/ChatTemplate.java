package io.peft4j.models;

import io.peft4j.jinja.JinjaException;
import io.peft4j.jinja.JinjaTemplate;
import io.peft4j.jinja.Rendering;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A Jinja chat template with the special tokens that it can read. */
final class ChatTemplate {

    // transformers' own: a template that trims leaves all of it but the last character
    private static final String CONTINUE = "CONTINUE_FINAL_MESSAGE_TAG ";

    private final String source;
    private final JinjaTemplate template;
    private final Map<String, String> specialTokens;

    /**
     * Reads a template.
     *
     * @param source what to call it in messages
     * @param template the Jinja text
     * @param specialTokens variables such as {@code bos_token}
     * @throws ChatTemplateException if it is not well-formed
     */
    ChatTemplate(String source, String template, Map<String, String> specialTokens) {
        this.source = source;
        this.specialTokens = Map.copyOf(specialTokens);
        try {
            this.template = JinjaTemplate.parse(template);
        } catch (JinjaException e) {
            throw failed(e);
        }
    }

    private ChatTemplateException failed(JinjaException e) {
        return new ChatTemplateException(source + ": the chat template, " + e.getMessage(), e);
    }

    ChatTemplateException refused(String reason) {
        return new ChatTemplateException(source + ": " + reason);
    }

    boolean marksAssistant() {
        return template.marksGeneration();
    }

    /** Writes a conversation. */
    String render(List<Message> messages, ChatOptions options) {
        if (!options.continueFinalMessage()) {
            return rendering(messages, options).text();
        }
        List<Message> marked = new ArrayList<>(messages);
        Message last = marked.remove(marked.size() - 1);
        marked.add(new Message(last.role(), last.content() + CONTINUE));
        String text = rendering(marked, options).text();
        int end = text.lastIndexOf(CONTINUE.strip());
        if (end < 0 || !text.contains(last.content().strip())) {
            throw refused(
                    "expected the chat template to write the last message as it is, so that it can"
                            + " be continued, found \""
                            + text
                            + "\"");
        }
        String before = text.substring(0, end);
        return text.startsWith(CONTINUE, end) ? before : before.stripTrailing();
    }

    /** Writes a conversation, with the places of what the assistant said if the template tells. */
    Rendering rendering(List<Message> messages, ChatOptions options) {
        if (messages.isEmpty()) {
            throw refused("expected one message at least, found none");
        }
        List<Map<String, Object>> turns = new ArrayList<>();
        for (Message message : messages) {
            Map<String, Object> turn = new LinkedHashMap<>();
            turn.put("role", message.role());
            turn.put("content", message.content());
            turns.add(turn);
        }
        Map<String, Object> variables = new HashMap<>();
        variables.putAll(specialTokens);
        variables.put("tools", null);
        variables.put("documents", null);
        variables.putAll(options.variables());
        variables.put("messages", turns);
        variables.put("add_generation_prompt", options.addGenerationPrompt());
        try {
            return template.render(variables);
        } catch (JinjaException e) {
            throw failed(e);
        }
    }
}
