package io.peft4j.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;

/** Writes JSON for programs: nulls kept, no escapes for HTML. */
final class Json {

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create();

    private static final Gson COMPACT =
            new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

    private Json() {}

    /** Writes an object over several lines. */
    static String text(JsonElement json) {
        return GSON.toJson(json);
    }

    /** Writes an object in one line. */
    static String line(JsonElement json) {
        return COMPACT.toJson(json);
    }
}
