package io.peft4j.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;

/** Writes JSON for programs: one object over several lines, nulls kept, no escapes for HTML. */
final class Json {

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create();

    private Json() {}

    static String text(JsonElement json) {
        return GSON.toJson(json);
    }
}
