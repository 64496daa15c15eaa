package io.peft4j.tuning;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads a file of one JSON object per line, a line at a time. Blank lines are skipped. */
public final class JsonLines {

    static final int MAX_LINE_BYTES = 16 << 20;
    private static final int MAX_DEPTH = 16;

    private JsonLines() {}

    /** Takes rows as they are read. */
    public interface RowConsumer {
        /**
         * Takes one row.
         *
         * @param where the file and line, to begin a message with
         * @param row the object of the line
         * @throws IOException if the row cannot be used
         */
        void accept(String where, JsonObject row) throws IOException;
    }

    /**
     * Reads a file.
     *
     * @param file the JSON Lines, UTF-8
     * @param consumer takes the rows, in file order
     * @throws DatasetException if a line is no JSON object; the message names file and line
     * @throws IOException if the file cannot be read, or from the consumer
     */
    public static void read(Path file, RowConsumer consumer) throws IOException {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            int number = 1;
            int next;
            do {
                next = in.read();
                if (next >= 0 && next != '\n') {
                    if (line.size() == MAX_LINE_BYTES) {
                        throw new DatasetException(
                                where(file, number)
                                        + "expected lines of at most "
                                        + MAX_LINE_BYTES
                                        + " bytes, found a longer one");
                    }
                    line.write(next);
                } else {
                    byte[] bytes = line.toByteArray();
                    line.reset();
                    if (!isBlank(bytes)) {
                        consumer.accept(where(file, number), object(file, number, bytes));
                    }
                    number++;
                }
            } while (next >= 0);
        }
    }

    private static JsonObject object(Path file, int number, byte[] bytes) throws IOException {
        JsonElement value;
        try {
            value = StrictJson.parse(bytes, file + ":" + number, MAX_DEPTH);
        } catch (StrictJsonException e) {
            throw new DatasetException(String.valueOf(e.getMessage()), e);
        }
        if (!value.isJsonObject()) {
            throw new DatasetException(
                    where(file, number) + "expected a JSON object, found another JSON value");
        }
        return value.getAsJsonObject();
    }

    private static boolean isBlank(byte[] bytes) {
        for (byte b : bytes) {
            if (b != ' ' && b != '\t' && b != '\r') {
                return false;
            }
        }
        return true;
    }

    private static String where(Path file, int line) {
        return file + ":" + line + ": ";
    }
}
