package io.peft4j.models;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How a conversation is written.
 *
 * @param addGenerationPrompt whether the text ends with the beginning of the assistant's answer
 * @param continueFinalMessage whether the text ends within the last message, for the model to
 *     continue it
 * @param variables what else the template can read, such as {@code date_string} or {@code
 *     enable_thinking}: texts, numbers, truth values, lists and maps
 */
public record ChatOptions(
        boolean addGenerationPrompt, boolean continueFinalMessage, Map<String, ?> variables) {

    /** Refuses a text with two ends. */
    public ChatOptions {
        if (addGenerationPrompt && continueFinalMessage) {
            throw new IllegalArgumentException(
                    "expected a new answer or the last message continued, found both");
        }
        variables = Map.copyOf(variables);
    }

    /**
     * Returns the options for a finished conversation.
     *
     * @return the options
     */
    public static ChatOptions whole() {
        return new ChatOptions(false, false, Map.of());
    }

    /**
     * Returns the options for a conversation that the assistant is to answer.
     *
     * @return the options
     */
    public static ChatOptions prompt() {
        return new ChatOptions(true, false, Map.of());
    }

    /**
     * Returns the options for a last message that is to be continued.
     *
     * @return the options
     */
    public static ChatOptions continuing() {
        return new ChatOptions(false, true, Map.of());
    }

    /**
     * Adds a variable.
     *
     * @param name its name in the template
     * @param value its value
     * @return these options and it
     */
    public ChatOptions with(String name, Object value) {
        Map<String, Object> all = new LinkedHashMap<>(variables);
        all.put(name, value);
        return new ChatOptions(addGenerationPrompt, continueFinalMessage, all);
    }
}
