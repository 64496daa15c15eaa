package io.peft4j.cli.pipeline;

import com.google.gson.JsonObject;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a stage that was begun.
 *
 * @param settings everything that decides the result, text by name; files by their SHA-256
 * @param seconds how long it took, all sessions together but for those that were killed
 * @param outputHash SHA-256 of what it wrote, if it is finished and writes something
 * @param result what the command printed as JSON, if it is finished
 */
record StageRecord(
        Map<String, String> settings,
        double seconds,
        Optional<String> outputHash,
        Optional<JsonObject> result) {

    StageRecord {
        settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
    }

    static StageRecord begun(Map<String, String> settings) {
        return new StageRecord(settings, 0, Optional.empty(), Optional.empty());
    }

    StageRecord stopped(double moreSeconds) {
        return new StageRecord(settings, seconds + moreSeconds, outputHash, result);
    }

    StageRecord finished(double moreSeconds, @Nullable String hash, JsonObject printed) {
        return new StageRecord(
                settings, seconds + moreSeconds, Optional.ofNullable(hash), Optional.of(printed));
    }

    boolean isFinished() {
        return result.isPresent();
    }

    JsonObject json() {
        JsonObject json = new JsonObject();
        JsonObject names = new JsonObject();
        settings.forEach(names::addProperty);
        json.add("settings", names);
        json.addProperty("seconds", seconds);
        outputHash.ifPresent(hash -> json.addProperty("output_sha256", hash));
        result.ifPresent(printed -> json.add("result", printed));
        return json;
    }

    static StageRecord of(JsonObject json) {
        Map<String, String> settings = new LinkedHashMap<>();
        json.getAsJsonObject("settings")
                .asMap()
                .forEach((key, value) -> settings.put(key, value.getAsString()));
        return new StageRecord(
                settings,
                json.get("seconds").getAsDouble(),
                Optional.ofNullable(json.get("output_sha256")).map(hash -> hash.getAsString()),
                Optional.ofNullable(json.getAsJsonObject("result")));
    }
}
