package io.peft4j.cli;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The goldens' token rows as a data file: those of {@code padded_loss} and {@code train_losses}.
 */
final class GoldenRows {

    static final Path MODEL = TestData.path("golden/openelm/model");

    private static final int LENGTH = 8;

    private GoldenRows() {}

    static Path write(Path file) throws IOException {
        try (SafetensorsFile golden = golden("")) {
            long[] ids = golden.toLongs("input_ids");
            long[] labels = golden.toLongs("labels");
            StringBuilder lines = new StringBuilder();
            for (int row = 0; row < ids.length; row += LENGTH) {
                JsonObject json = new JsonObject();
                json.add("input_ids", numbers(ids, row));
                json.add("labels", numbers(labels, row));
                lines.append(json).append('\n');
            }
            return Files.writeString(file, lines);
        }
    }

    private static com.google.gson.JsonElement numbers(long[] values, int from) {
        return new Gson().toJsonTree(Arrays.copyOfRange(values, from, from + LENGTH));
    }

    /** Opens a golden of the base model, or of an adapter if one is named. */
    static SafetensorsFile golden(String adapter) throws IOException {
        return SafetensorsFile.open(
                TestData.path("golden/openelm" + (adapter.isEmpty() ? "" : "/" + adapter))
                        .resolve("golden.safetensors"));
    }

    static Path adapter(String name) {
        return TestData.path("golden/openelm/" + name);
    }
}
