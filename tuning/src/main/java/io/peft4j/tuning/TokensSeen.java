package io.peft4j.tuning;

import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Counts the tokens that a training has gone through, TRL's {@code num_tokens}, over interruptions
 * too: the count is a file of each checkpoint.
 */
public final class TokensSeen {

    /** What TRL calls the count. */
    public static final String METRIC = "num_tokens";

    private final String file;
    private long before;
    private long ofStep;

    /**
     * Begins at none.
     *
     * @param file the name of the checkpoint's file, such as {@code dpo_state.json}
     */
    public TokensSeen(String file) {
        this.file = file;
    }

    /**
     * Is told of a step that begins, which may never be done.
     *
     * @param tokens its tokens
     */
    public void begin(long tokens) {
        ofStep = tokens;
    }

    /** Is told that the step is done. */
    public void afterStep() {
        before += ofStep;
        ofStep = 0;
    }

    /**
     * Returns the count.
     *
     * @return the tokens of all steps that are done, and of the one that has begun
     */
    public long count() {
        return before + ofStep;
    }

    /**
     * Writes the count of the steps that are done.
     *
     * @param directory the checkpoint
     * @throws IOException if writing fails
     */
    public void save(Path directory) throws IOException {
        JsonObject state = new JsonObject();
        state.addProperty(METRIC, before);
        AtomicFiles.writeString(directory.resolve(file), state + "\n");
    }

    /**
     * Reads it back.
     *
     * @param directory the checkpoint
     * @throws IOException if the file cannot be read or has no count
     */
    public void load(Path directory) throws IOException {
        Path path = directory.resolve(file);
        try {
            before = StrictJson.read(path, 1 << 10, 2).getAsJsonObject().get(METRIC).getAsLong();
        } catch (IllegalStateException
                | UnsupportedOperationException
                | NullPointerException
                | NumberFormatException e) {
            throw new IOException(path + ": expected the number " + METRIC, e);
        }
    }
}
