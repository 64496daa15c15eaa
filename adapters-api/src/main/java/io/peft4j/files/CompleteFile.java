package io.peft4j.files;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The file that ends a published directory: {@code [{"name": ..., "size": ..., "sha256": ...},
 * ...]}, names with {@code /}, sorted.
 */
final class CompleteFile {

    static final String NAME = "COMPLETE";
    private static final int MAX_BYTES = 16_000_000;

    private CompleteFile() {}

    /** Forces every file and directory below a directory, then writes the list of the files. */
    static void write(Path directory) throws IOException {
        JsonArray list = new JsonArray();
        List<Path> directories = new ArrayList<>();
        List<Path> files = new ArrayList<>();
        try (Stream<Path> walk = Files.walk(directory)) {
            walk.forEach(path -> (Files.isDirectory(path) ? directories : files).add(path));
        }
        files.sort(null);
        for (Path file : files) {
            Durability.forceFile(file);
            JsonObject entry = new JsonObject();
            entry.addProperty("name", slashes(directory.relativize(file)));
            entry.addProperty("size", Files.size(file));
            entry.addProperty("sha256", Sha256.of(file));
            list.add(entry);
        }
        for (Path below : directories) {
            Durability.forceDirectory(below);
        }
        AtomicFiles.writeString(directory.resolve(NAME), list + "\n");
    }

    static void check(Path directory, boolean contents) throws IOException {
        for (Entry entry : read(directory)) {
            Path file = SafePaths.resolve(directory, entry.name);
            if (!Files.isRegularFile(file)) {
                throw new IncompleteDirectoryException(
                        directory + ": " + NAME + " lists " + entry.name + ", found no such file");
            }
            long size = Files.size(file);
            if (size != entry.size) {
                throw new IncompleteDirectoryException(
                        file + ": expected " + entry.size + " bytes, found " + size);
            }
            String found = contents ? Sha256.of(file) : entry.sha256;
            if (!found.equals(entry.sha256)) {
                throw new IncompleteDirectoryException(
                        file + ": expected SHA-256 " + entry.sha256 + ", found " + found);
            }
        }
    }

    private static List<Entry> read(Path directory) throws IOException {
        Path file = directory.resolve(NAME);
        try {
            List<Entry> entries = new ArrayList<>();
            for (JsonElement element : StrictJson.read(file, MAX_BYTES, 4).getAsJsonArray()) {
                JsonObject object = element.getAsJsonObject();
                entries.add(
                        new Entry(
                                object.get("name").getAsString(),
                                object.get("size").getAsLong(),
                                object.get("sha256").getAsString()));
            }
            return entries;
        } catch (NoSuchFileException e) {
            throw new IncompleteDirectoryException(
                    directory + ": expected a file " + NAME + ", found none", e);
        } catch (StrictJsonException
                | IllegalStateException
                | UnsupportedOperationException
                | NullPointerException
                | NumberFormatException e) {
            throw new IncompleteDirectoryException(
                    file + ": expected a list of name, size and sha256, found another text", e);
        }
    }

    private static String slashes(Path relative) {
        List<String> segments = new ArrayList<>();
        relative.forEach(segment -> segments.add(segment.toString()));
        return String.join("/", segments);
    }

    private record Entry(String name, long size, String sha256) {}
}
