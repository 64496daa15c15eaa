package io.peft4j.adapters;

import java.io.IOException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Where an adapter comes from: texts by dotted key, saved beside its tensors as {@code
 * adapter_provenance.json}, which PEFT does not read.
 *
 * <table>
 * <caption>What this library writes</caption>
 * <tr><td>{@code created}</td><td>when the adapter was added to its model, UTC</td></tr>
 * <tr><td>{@code peft4j}, {@code djl}, {@code engine}, {@code engine.version}, {@code
 *     engine.flavor}, {@code java}</td><td>what ran when it was added or last trained</td></tr>
 * <tr><td>{@code adapter.method}, {@code adapter.seed}</td><td>how it began</td></tr>
 * <tr><td>{@code base.name}</td><td>PEFT's {@code base_model_name_or_path}</td></tr>
 * <tr><td>{@code base.fingerprint}</td><td>{@link AdaptedModel#baseFingerprint} of the model that
 *     it was added to or last trained on</td></tr>
 * <tr><td>{@code training.kind}, {@code training.steps}, {@code training.epochs}, {@code
 *     training.…}</td><td>its last training: {@link Adapter#recordTraining}</td></tr>
 * <tr><td>{@code adapter_config.sha256}, {@code adapter_model.sha256}</td><td>the SHA-256 of the
 *     two files it was written with; in files only</td></tr>
 * </table>
 *
 * <p>Other keys are the user's: {@link Adapter#record}. Saving an adapter twice gives the same
 * bytes. Nothing in it is signed: it tells what happened, it proves nothing.
 *
 * @param entries the texts by key, sorted
 */
public record Provenance(Map<String, String> entries) {

    static final String CREATED = "created";
    static final String METHOD = "adapter.method";
    static final String SEED = "adapter.seed";
    static final String BASE_NAME = "base.name";
    static final String BASE_FINGERPRINT = "base.fingerprint";
    static final String TRAINING = "training.";
    private static final String STEPS = TRAINING + "steps";
    private static final String EPOCHS = TRAINING + "epochs";

    private static final int LONGEST_KEY = 64;
    private static final int LONGEST_VALUE = 1024;

    private static final Pattern KEY = Pattern.compile("[a-z0-9]+([._-][a-z0-9]+)*");
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    // also what turns the direction of a line around
    private static final Pattern CONTROL =
            Pattern.compile("[\\p{Cc}\\p{Cs}\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]");

    /**
     * Copies the entries.
     *
     * @throws IllegalArgumentException if a key is not of lower-case letters and digits with single
     *     dots, dashes and underscores between (at most 64), a value is longer than 1024 or has
     *     control characters, or a key of the table has a value of another kind
     */
    public Provenance {
        entries.forEach(Provenance::check);
        entries = Collections.unmodifiableMap(new TreeMap<>(entries));
    }

    /**
     * Reads the provenance of a saved adapter.
     *
     * @param directory a directory in PEFT's format
     * @return the provenance; empty if there is none, as in what PEFT writes
     * @throws IOException if the file cannot be read or is malformed
     */
    public static Optional<Provenance> read(Path directory) throws IOException {
        return ProvenanceFile.read(directory);
    }

    /**
     * Writes the provenance alone, for what was made from the adapter, such as a merged model.
     *
     * @param directory an existing directory
     * @throws IOException if it cannot be written; what was there is kept
     */
    public void write(Path directory) throws IOException {
        ProvenanceFile.write(directory, this);
    }

    /**
     * Compares the files of a directory with those that this was written with. Whoever writes other
     * tensors into the directory, as PEFT does, leaves the old provenance beside them.
     *
     * @param directory a directory in PEFT's format
     * @return the names of the files that have changed since; empty if none has
     * @throws IOException if a file cannot be read
     */
    public List<String> changedFiles(Path directory) throws IOException {
        return ProvenanceFile.changed(directory, this);
    }

    /**
     * Returns one entry.
     *
     * @param key the key
     * @return its text, if there is one
     */
    public Optional<String> get(String key) {
        return Optional.ofNullable(entries.get(key));
    }

    /**
     * Returns when the adapter was added to its model.
     *
     * @return the time, to the second
     */
    public Optional<Instant> created() {
        return get(CREATED).map(Instant::parse);
    }

    /**
     * Returns the adapter method.
     *
     * @return such as {@code lora}
     */
    public Optional<String> method() {
        return get(METHOD);
    }

    /**
     * Returns what decided the adapter's initial values.
     *
     * @return the seed
     */
    public OptionalLong seed() {
        return number(SEED);
    }

    /**
     * Returns the name of the base model.
     *
     * @return the name or path that the config gave
     */
    public Optional<String> baseName() {
        return get(BASE_NAME);
    }

    /**
     * Returns which base model the adapter was made for.
     *
     * @return its {@link AdaptedModel#baseFingerprint}
     */
    public Optional<String> baseFingerprint() {
        return get(BASE_FINGERPRINT);
    }

    /**
     * Returns how long the adapter was trained.
     *
     * @return the optimizer steps of its last training
     */
    public OptionalLong steps() {
        return number(STEPS);
    }

    /**
     * Returns how often the adapter saw its data.
     *
     * @return the epochs of its last training
     */
    public OptionalDouble epochs() {
        return get(EPOCHS)
                .map(t -> OptionalDouble.of(Double.parseDouble(t)))
                .orElseGet(OptionalDouble::empty);
    }

    private OptionalLong number(String key) {
        return get(key).map(t -> OptionalLong.of(Long.parseLong(t))).orElseGet(OptionalLong::empty);
    }

    /** Makes a text fit for a value: what controls a terminal is replaced, the end is cut. */
    static String clean(String text) {
        String plain = CONTROL.matcher(text).replaceAll("?");
        if (plain.length() <= LONGEST_VALUE) {
            return plain;
        }
        boolean pair = Character.isHighSurrogate(plain.charAt(LONGEST_VALUE - 1));
        return plain.substring(0, pair ? LONGEST_VALUE - 1 : LONGEST_VALUE);
    }

    private static void check(String key, String value) {
        if (key.length() > LONGEST_KEY || !KEY.matcher(key).matches()) {
            String shown = clean(key);
            throw new IllegalArgumentException(
                    "expected a key such as training.data_rows of at most "
                            + LONGEST_KEY
                            + " characters, found \""
                            + shown.substring(0, Math.min(shown.length(), LONGEST_KEY))
                            + '"');
        }
        if (value.length() > LONGEST_VALUE || CONTROL.matcher(value).find()) {
            throw new IllegalArgumentException(
                    key
                            + ": expected at most "
                            + LONGEST_VALUE
                            + " characters and none that controls a terminal, found others");
        }
        String kind = expectedKind(key);
        if (!kind.isEmpty() && !isOfKind(key, value)) {
            throw new IllegalArgumentException(
                    key + ": expected " + kind + ", found \"" + value + '"');
        }
    }

    private static String expectedKind(String key) {
        return switch (key) {
            case CREATED -> "a time such as 2025-01-31T12:00:00Z";
            case SEED, STEPS -> "a whole number";
            case EPOCHS -> "a number";
            case BASE_FINGERPRINT, ProvenanceFile.CONFIG_SHA256, ProvenanceFile.TENSORS_SHA256 ->
                    "64 hexadecimal digits";
            default -> "";
        };
    }

    private static boolean isOfKind(String key, String value) {
        try {
            switch (key) {
                case CREATED -> Instant.parse(value);
                case SEED, STEPS -> Long.parseLong(value);
                case EPOCHS -> Double.parseDouble(value);
                default -> {
                    return SHA256.matcher(value).matches();
                }
            }
            return true;
        } catch (DateTimeException | NumberFormatException e) {
            return false;
        }
    }
}
