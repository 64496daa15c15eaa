package io.peft4j.cli.pipeline;

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
 * {@code pipeline.json} in the output directory: which stages were begun and with what, and what
 * came of those that are finished. It is replaced as a whole after each change.
 */
final class PipelineState {

    static final String NAME = "pipeline.json";

    private static final int FORMAT = 1;
    private static final int MAX_BYTES = 1 << 26;
    private static final int MAX_DEPTH = 16;

    private final Path file;
    private final Map<String, StageRecord> records;

    private PipelineState(Path file, Map<String, StageRecord> records) {
        this.file = file;
        this.records = records;
    }

    /**
     * Reads what a former call left.
     *
     * @param output the pipeline's directory
     * @throws IOException if the file is not what {@link #put} writes
     */
    static PipelineState read(Path output) throws IOException {
        Path file = output.resolve(NAME);
        Map<String, StageRecord> records = new LinkedHashMap<>();
        if (!Files.exists(file)) {
            return new PipelineState(file, records);
        }
        try {
            JsonObject json = StrictJson.read(file, MAX_BYTES, MAX_DEPTH).getAsJsonObject();
            int format = json.get("format").getAsInt();
            if (format != FORMAT) {
                throw new IOException(
                        file + ": expected the format " + FORMAT + ", found " + format);
            }
            json.getAsJsonObject("stages")
                    .asMap()
                    .forEach(
                            (name, stage) ->
                                    records.put(name, StageRecord.of(stage.getAsJsonObject())));
        } catch (IllegalStateException
                | UnsupportedOperationException
                | NullPointerException
                | ClassCastException
                | NumberFormatException e) {
            throw new IOException(file + ": expected a pipeline's state, found another text", e);
        }
        return new PipelineState(file, records);
    }

    Optional<StageRecord> get(String stage) {
        return Optional.ofNullable(records.get(stage));
    }

    /** Changes what is known of a stage, on the disk first. */
    void put(String stage, StageRecord record) throws IOException {
        Map<String, StageRecord> changed = new LinkedHashMap<>(records);
        changed.put(stage, record);
        JsonObject json = new JsonObject();
        json.addProperty("format", FORMAT);
        JsonObject stages = new JsonObject();
        changed.forEach((name, one) -> stages.add(name, one.json()));
        json.add("stages", stages);
        AtomicFiles.writeString(
                file,
                new GsonBuilder()
                                .setPrettyPrinting()
                                .serializeNulls()
                                .disableHtmlEscaping()
                                .create()
                                .toJson(json)
                        + "\n");
        records.put(stage, record);
    }
}
