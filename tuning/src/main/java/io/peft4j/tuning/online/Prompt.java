package io.peft4j.tuning.online;

import ai.djl.util.Preconditions;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.files.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What a model is asked, with whatever its row of data says besides, such as the right answer. The
 * array is not copied and not to be changed.
 */
public final class Prompt {

    private final long[] ids;
    private final String text;
    private final JsonObject row;

    /**
     * Makes a prompt.
     *
     * @param ids its tokens, one at least
     * @param text what they were encoded from
     * @param row the whole row, for reward functions
     */
    public Prompt(long[] ids, String text, JsonObject row) {
        Preconditions.checkArgument(ids.length > 0, "expected a prompt of one token at least");
        this.ids = ids;
        this.text = text;
        this.row = row;
    }

    /**
     * Returns its tokens.
     *
     * @return ids (length)
     */
    public long[] ids() {
        return ids;
    }

    /**
     * Returns what the tokens were encoded from.
     *
     * @return the prompt; of a conversation, what the chat template makes of it
     */
    public String text() {
        return text;
    }

    /**
     * Returns the row of data.
     *
     * @return the whole row
     */
    public JsonObject row() {
        return row;
    }

    /**
     * Returns a text that stands in the row beside the prompt.
     *
     * @param key its name, such as {@code answer}
     * @return the text; empty if the row has none of that name
     */
    public Optional<String> field(String key) {
        JsonElement value = row.get(key);
        return value == null || !value.isJsonPrimitive()
                ? Optional.empty()
                : Optional.of(value.getAsString());
    }

    /**
     * Hashes prompts and all that their rows say, since rewards may depend on it.
     *
     * @param prompts the prompts, in their order
     * @return 64 hexadecimal digits
     */
    public static String fingerprint(List<Prompt> prompts) {
        MessageDigest digest = Sha256.digest();
        for (Prompt prompt : prompts) {
            String content = Arrays.toString(prompt.ids) + " " + prompt.row + "\n";
            digest.update(content.getBytes(StandardCharsets.UTF_8));
        }
        return Sha256.hex(digest);
    }
}
