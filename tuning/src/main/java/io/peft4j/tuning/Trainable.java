package io.peft4j.tuning;

import ai.djl.nn.Parameter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** What a training trains: some parameters, and how they are kept on disk. */
public interface Trainable {

    /**
     * Returns the parameters to train.
     *
     * @return the parameters by name, float32, in a stable order
     */
    Map<String, Parameter> parameters();

    /**
     * Returns the settings that a resumed run must share, because they change the result.
     *
     * @return setting by name
     */
    Map<String, String> settings();

    /**
     * Is told what the parameters have been through, before each save and export. What is loaded
     * from a checkpoint comes with its own.
     *
     * @param facts text by key, such as {@code steps}, {@code learning_rate} or {@code data_sha256}
     */
    default void record(Map<String, String> facts) {}

    /**
     * Writes the parameters into a checkpoint.
     *
     * @param directory an existing directory; files of other names may be beside
     * @throws IOException if writing fails
     */
    void save(Path directory) throws IOException;

    /**
     * Reads the parameters back, bit for bit, all of them or, on an error, none.
     *
     * @param directory what {@link #save} wrote into
     * @throws IOException if the files cannot be read or do not fit
     */
    void load(Path directory) throws IOException;

    /**
     * Writes the finished result for its user.
     *
     * @param output an existing directory; replaced files are replaced as a whole
     * @throws IOException if writing fails
     */
    void export(Path output) throws IOException;
}
