package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.models.Message;
import io.peft4j.models.TextGenerator;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a model is to continue or to answer.
 *
 * @param json the prompt or the messages, as they are told again with the answer
 * @param text what to continue; unused if there are messages
 * @param messages what to answer; none if the text is to be continued
 */
record Prompt(JsonObject json, String text, List<Message> messages) {

    private static final int MAX_DEPTH = 16;
    private static final String EXPECTED =
            "expected {\"prompt\": \"…\"} or {\"messages\": [{\"role\": \"…\", \"content\":"
                    + " \"…\"}, …]}, found ";

    /** A text, or one turn of a user if it is chat. */
    static Prompt of(String text, boolean chat) {
        JsonObject json = new JsonObject();
        json.addProperty("prompt", text);
        return new Prompt(json, text, chat ? List.of(new Message("user", text)) : List.of());
    }

    /** Reads JSON Lines; blank lines are skipped. */
    static List<Prompt> read(Path file, boolean chat) throws IOException {
        List<Prompt> prompts = new ArrayList<>();
        int number = 0;
        for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
            number++;
            if (!line.isBlank()) {
                String where = file + ":" + number;
                prompts.add(
                        row(
                                StrictJson.parse(
                                        line.getBytes(StandardCharsets.UTF_8), where, MAX_DEPTH),
                                where,
                                chat));
            }
        }
        if (prompts.isEmpty()) {
            throw new UsageException(file + ": expected one prompt at least, found none");
        }
        return prompts;
    }

    private static Prompt row(JsonElement element, String where, boolean chat) {
        if (element instanceof JsonObject row) {
            if (isText(row.get("prompt"))) {
                return of(row.get("prompt").getAsString(), chat);
            }
            if (row.get("messages") instanceof JsonArray array && !array.isEmpty()) {
                List<Message> messages = new ArrayList<>();
                for (JsonElement message : array) {
                    messages.add(message(message, where));
                }
                JsonObject json = new JsonObject();
                json.add("messages", array);
                return new Prompt(json, "", messages);
            }
        }
        throw new UsageException(where + ": " + EXPECTED + shortened(element));
    }

    private static Message message(JsonElement element, String where) {
        if (element instanceof JsonObject message
                && isText(message.get("role"))
                && isText(message.get("content"))) {
            return new Message(
                    message.get("role").getAsString(), message.get("content").getAsString());
        }
        throw new UsageException(where + ": " + EXPECTED + shortened(element));
    }

    private static boolean isText(@Nullable JsonElement element) {
        return element instanceof JsonPrimitive value && value.isString();
    }

    private static String shortened(JsonElement element) {
        String text = element.toString();
        return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }

    long[] encode(TextGenerator generator) {
        return messages.isEmpty()
                ? generator.tokenizer().encode(text, true)
                : generator.encode(messages);
    }
}
