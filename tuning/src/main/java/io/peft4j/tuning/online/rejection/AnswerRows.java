package io.peft4j.tuning.online.rejection;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.tuning.online.Prompt;

/** Writes answers as rows of data have them. */
public final class AnswerRows {

    private AnswerRows() {}

    /**
     * Returns a prompt as its row has it.
     *
     * @param prompt what was asked
     * @return a text or messages
     */
    public static JsonElement of(Prompt prompt) {
        JsonElement given = prompt.row().get("prompt");
        return given == null ? new JsonPrimitive(prompt.text()) : given;
    }

    /**
     * Returns an answer in the form of its prompt: a text for a text, the assistant's message for
     * messages.
     *
     * @param prompt what was asked
     * @param answer what was answered
     * @return the answer, for {@code completion}, {@code chosen} or {@code rejected}
     */
    public static JsonElement of(Prompt prompt, SampledAnswer answer) {
        if (!(of(prompt) instanceof JsonArray)) {
            return new JsonPrimitive(answer.text());
        }
        JsonObject message = new JsonObject();
        message.addProperty("role", "assistant");
        message.addProperty("content", answer.text());
        JsonArray messages = new JsonArray();
        messages.add(message);
        return messages;
    }
}
