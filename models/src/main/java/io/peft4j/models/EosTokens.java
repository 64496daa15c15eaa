package io.peft4j.models;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The {@code eos_token_id} of {@code generation_config.json}: one number or a list. */
final class EosTokens {

    private static final int MAX_BYTES = 1_000_000;
    private static final int MAX_DEPTH = 16;

    private EosTokens() {}

    static List<Long> read(Path directory) throws IOException {
        Path file = directory.resolve("generation_config.json");
        if (!Files.exists(file)
                || !(StrictJson.read(file, MAX_BYTES, MAX_DEPTH) instanceof JsonObject json)) {
            return List.of();
        }
        JsonElement value = json.get("eos_token_id");
        JsonArray values = new JsonArray();
        if (value instanceof JsonArray array) {
            values = array;
        } else if (value != null) {
            values.add(value);
        }
        List<Long> ids = new ArrayList<>();
        for (JsonElement element : values) {
            if (element instanceof JsonPrimitive number && number.isNumber()) {
                ids.add(number.getAsLong());
            }
        }
        return ids;
    }
}
