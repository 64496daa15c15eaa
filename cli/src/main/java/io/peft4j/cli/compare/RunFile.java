package io.peft4j.cli.compare;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A run's {@code run.json}, beside its adapter: everything that decides the result, and the result
 * once there is one. It is replaced as a whole, so that a kill leaves a run begun or finished.
 *
 * @param settings what decides the result, text by name
 * @param result the figures; empty of a run that is not finished
 */
public record RunFile(Map<String, String> settings, Optional<RunResult> result) {

    static final String NAME = "run.json";

    private static final int FORMAT = 1;
    private static final int MAX_BYTES = 1 << 20;
    private static final int MAX_DEPTH = 4;

    /** Copies the settings. */
    public RunFile {
        settings = new LinkedHashMap<>(settings);
    }

    /**
     * Describes a run that is to begin.
     *
     * @param settings what decides its result
     * @return the file without a result
     */
    public static RunFile begun(Map<String, String> settings) {
        return new RunFile(settings, Optional.empty());
    }

    /**
     * Adds what a run has shown.
     *
     * @param figures the result
     * @return the same run, finished
     */
    public RunFile finished(RunResult figures) {
        return new RunFile(settings, Optional.of(figures));
    }

    /**
     * Writes it.
     *
     * @param run the run's directory, which is made if it is not there
     * @throws IOException if writing fails; what was there stays
     */
    public void write(Path run) throws IOException {
        JsonObject json = new JsonObject();
        json.addProperty("format", FORMAT);
        JsonObject names = new JsonObject();
        settings.forEach(names::addProperty);
        json.add("settings", names);
        result.ifPresent(
                figures -> {
                    JsonObject object = new JsonObject();
                    figures.addTo(object);
                    json.add("result", object);
                });
        Files.createDirectories(run);
        AtomicFiles.writeString(
                run.resolve(NAME),
                new GsonBuilder()
                                .setPrettyPrinting()
                                .serializeNulls()
                                .disableHtmlEscaping()
                                .create()
                                .toJson(json)
                        + "\n");
    }

    /**
     * Reads what a run has left.
     *
     * @param run the run's directory
     * @return the file; empty if it has none
     * @throws IOException if the file is not what {@link #write} writes
     */
    public static Optional<RunFile> read(Path run) throws IOException {
        Path file = run.resolve(NAME);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            JsonObject json = StrictJson.read(file, MAX_BYTES, MAX_DEPTH).getAsJsonObject();
            int format = json.get("format").getAsInt();
            if (format != FORMAT) {
                throw new IOException(
                        file + ": expected the format " + FORMAT + ", found " + format);
            }
            Map<String, String> settings = new LinkedHashMap<>();
            json.getAsJsonObject("settings")
                    .asMap()
                    .forEach((key, value) -> settings.put(key, value.getAsString()));
            return Optional.of(
                    new RunFile(
                            settings,
                            json.has("result")
                                    ? Optional.of(RunResult.of(json.getAsJsonObject("result")))
                                    : Optional.empty()));
        } catch (IllegalStateException
                | UnsupportedOperationException
                | NullPointerException
                | ClassCastException
                | NumberFormatException e) {
            throw new IOException(
                    file + ": expected a run's settings and result, found another text", e);
        }
    }
}
