package io.peft4j.cli;

import io.peft4j.files.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a provenance tells of the files that a training reads. */
final class DataFiles {

    private DataFiles() {}

    static Map<String, String> facts(Path data, @Nullable Path evalData) throws IOException {
        Map<String, String> facts = new LinkedHashMap<>();
        add(facts, "data_file", data);
        if (evalData != null) {
            add(facts, "held_out_file", evalData);
        }
        return facts;
    }

    private static void add(Map<String, String> facts, String key, Path file) throws IOException {
        facts.put(key, String.valueOf(file.getFileName()));
        if (Files.isRegularFile(file)) { // a pipe cannot be read twice
            facts.put(key + "_sha256", Sha256.of(file));
        }
    }
}
