package io.peft4j.tuning.online.rejection;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.text.StrictJson;
import io.peft4j.tuning.ResumeMismatchException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The answers of a sampling, as far as it is: JSON Lines that are only ever added to. The first
 * line holds the settings, each other one the answers to the next prompt. A kill leaves whole lines
 * and a part of one, which is taken off again.
 */
final class AnswerJournal implements AutoCloseable {

    private static final String SETTINGS = "settings";
    private static final String PROMPT = "prompt";
    private static final String ANSWERS = "answers";
    private static final int MAX_DEPTH = 16;

    private final FileOutputStream stream; // no channel: an interrupt would close it
    private int prompts;

    private AnswerJournal(FileOutputStream stream, int prompts) {
        this.stream = stream;
        this.prompts = prompts;
    }

    /** Begins a journal, in the place of whatever is there. */
    static AnswerJournal begin(Path file, Map<String, String> settings) throws IOException {
        JsonObject values = new JsonObject();
        settings.forEach(values::addProperty);
        JsonObject head = new JsonObject();
        head.add(SETTINGS, values);
        AnswerJournal journal = new AnswerJournal(new FileOutputStream(file.toFile()), 0);
        journal.write(head + "\n");
        return journal;
    }

    /**
     * Goes on with a journal.
     *
     * @param group the prompts that are answered together: an incomplete group is forgotten
     * @param total all prompts; the last group may be smaller
     * @throws ResumeMismatchException if it is of other settings
     * @throws IOException if the file is something else
     */
    static AnswerJournal resume(Path file, Map<String, String> settings, int group, int total)
            throws IOException {
        Whole whole = Whole.of(file);
        if (whole.settings == null) { // killed before it had any
            return begin(file, settings);
        }
        ResumeMismatchException.requireSame(file, whole.settings, settings);
        int kept = whole.ends.size() - 1;
        kept -= kept == total ? 0 : kept % group;
        try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
            access.setLength(whole.ends.get(kept));
        }
        return new AnswerJournal(new FileOutputStream(file.toFile(), true), kept);
    }

    /** Counts the prompts whose answers are in it. */
    int prompts() {
        return prompts;
    }

    /** Adds the answers to the next prompts, and waits until they are on the disk. */
    void add(List<List<SampledAnswer>> answers) throws IOException {
        StringBuilder lines = new StringBuilder();
        for (List<SampledAnswer> some : answers) {
            JsonArray array = new JsonArray();
            some.forEach(answer -> array.add(answer.json()));
            JsonObject line = new JsonObject();
            line.addProperty(PROMPT, prompts++);
            line.add(ANSWERS, array);
            lines.append(line).append('\n');
        }
        write(lines.toString());
    }

    private void write(String text) throws IOException {
        stream.write(text.getBytes(StandardCharsets.UTF_8));
        stream.getFD().sync();
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }

    /** Returns the answers of a line; none of the first. */
    static List<SampledAnswer> answers(JsonObject line) {
        List<SampledAnswer> answers = new ArrayList<>();
        if (line.has(ANSWERS)) {
            for (JsonElement answer : line.getAsJsonArray(ANSWERS)) {
                answers.add(SampledAnswer.of(answer.getAsJsonObject()));
            }
        }
        return answers;
    }

    /** What of a journal is whole. */
    private static final class Whole {

        private @Nullable Map<String, String> settings;

        /** Where lines end, in bytes: the first, and each of a prompt. */
        private final List<Long> ends = new ArrayList<>();

        static Whole of(Path file) throws IOException {
            Whole whole = new Whole();
            try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
                ByteArrayOutputStream line = new ByteArrayOutputStream();
                long position = 0;
                for (int next = in.read(); next >= 0; next = in.read()) {
                    position++;
                    if (next != '\n') {
                        line.write(next);
                    } else {
                        if (!whole.accept(line.toByteArray(), file)) {
                            break;
                        }
                        whole.ends.add(position);
                        line.reset();
                    }
                }
            }
            return whole;
        }

        /** Takes a line, and tells whether it is whole. */
        private boolean accept(byte[] bytes, Path file) throws IOException {
            try {
                JsonObject line =
                        StrictJson.parse(bytes, file.toString(), MAX_DEPTH).getAsJsonObject();
                if (settings != null) {
                    return line.get(PROMPT).getAsInt() == ends.size() - 1
                            && !answers(line).isEmpty();
                }
                Map<String, String> found = new LinkedHashMap<>();
                line.getAsJsonObject(SETTINGS)
                        .asMap()
                        .forEach((name, value) -> found.put(name, value.getAsString()));
                settings = found;
                return true;
            } catch (IOException
                    | IllegalStateException
                    | UnsupportedOperationException
                    | NullPointerException
                    | ClassCastException
                    | NumberFormatException e) {
                if (settings == null) {
                    throw new IOException(
                            file + ": expected the answers of a sampling, found another file", e);
                }
                return false; // what a crash of the machine may leave in a file's last blocks
            }
        }
    }
}
