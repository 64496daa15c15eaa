package io.peft4j.examples;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A notebook of {@code notebooks}, as it is committed.
 *
 * @param file where it is
 * @param json its content
 */
record Notebook(Path file, JsonObject json) {

    static List<Notebook> all() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("notebooks"))) {
            return files.filter(file -> file.toString().endsWith(".ipynb"))
                    .sorted()
                    .map(Notebook::read)
                    .toList();
        }
    }

    private static Notebook read(Path file) {
        try {
            return new Notebook(
                    file, JsonParser.parseString(Files.readString(file)).getAsJsonObject());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A cell of code. */
    record Code(String source, JsonObject json) {

        JsonElement executionCount() {
            return json.get("execution_count");
        }

        List<JsonObject> outputs() {
            return objects(json.getAsJsonArray("outputs"));
        }
    }

    List<Code> code() {
        return objects(json.getAsJsonArray("cells")).stream()
                .filter(cell -> cell.get("cell_type").getAsString().equals("code"))
                .map(cell -> new Code(text(cell.get("source")), cell))
                .toList();
    }

    /** The pictures that cells show, as base64. */
    List<String> images() {
        return code().stream()
                .flatMap(cell -> cell.outputs().stream())
                .filter(output -> output.has("data"))
                .map(output -> output.getAsJsonObject("data").get("image/png"))
                .filter(image -> image != null)
                .map(Notebook::text)
                .toList();
    }

    String lastText() {
        List<JsonObject> cells = objects(json.getAsJsonArray("cells"));
        return text(cells.get(cells.size() - 1).get("source"));
    }

    @Override
    public String toString() {
        return file.getFileName().toString();
    }

    /** A text may be a string or a list of lines. */
    private static String text(JsonElement element) {
        return element.isJsonArray()
                ? String.join(
                        "",
                        StreamSupport.stream(element.getAsJsonArray().spliterator(), false)
                                .map(JsonElement::getAsString)
                                .toList())
                : element.getAsString();
    }

    private static List<JsonObject> objects(JsonArray array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(JsonElement::getAsJsonObject)
                .toList();
    }
}
