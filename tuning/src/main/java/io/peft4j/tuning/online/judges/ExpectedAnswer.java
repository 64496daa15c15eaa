package io.peft4j.tuning.online.judges;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What a row says is right: its {@code answer}, or else its {@code completion}. */
final class ExpectedAnswer {

    private ExpectedAnswer() {}

    /**
     * Returns the right answer of a prompt's row.
     *
     * @throws RewardException if the row has none
     */
    static String of(Prompt prompt, String judge) {
        for (String key : new String[] {"answer", "completion"}) {
            Optional<String> text = text(prompt.row().get(key));
            if (text.isPresent()) {
                return text.get();
            }
        }
        throw new RewardException(
                "expected \"answer\" or \"completion\" with the right answer, for "
                        + judge
                        + ", in a row that has the keys "
                        + prompt.row().keySet()
                        + ": \""
                        + Reward.shortened(prompt.text())
                        + "\"");
    }

    /** Reads a text, a number, or the last message of a conversation. */
    private static Optional<String> text(@Nullable JsonElement value) {
        if (value instanceof JsonPrimitive primitive) {
            return Optional.of(primitive.getAsString());
        }
        if (value instanceof JsonArray messages
                && !messages.isEmpty()
                && messages.get(messages.size() - 1) instanceof JsonObject last
                && last.get("content") instanceof JsonPrimitive content) {
            return Optional.of(content.getAsString());
        }
        return Optional.empty();
    }
}
