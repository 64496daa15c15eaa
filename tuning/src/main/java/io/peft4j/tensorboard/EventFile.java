package io.peft4j.tensorboard;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * An event file of TensorBoard, written without TensorBoard: scalars, texts and hyper-parameters of
 * one run. All event files of a directory are one run. What was {@linkplain #flush flushed} is in
 * the file whatever becomes of the process; a reader that comes upon half a record waits for the
 * rest.
 */
public final class EventFile implements AutoCloseable {

    // the second that a file began, which orders the files of a run
    private static final Pattern NAME =
            Pattern.compile("events\\.out\\.tfevents\\.(\\d{1,18})\\..*");
    private static final AtomicLong COUNTER = new AtomicLong();

    private final Path file;
    private final boolean continued;
    private final OutputStream out;
    private final RecordStream records;

    private EventFile(Path file, boolean continued) throws IOException {
        this.file = file;
        this.continued = continued;
        // a stream and no channel: an interrupt must not close it
        out = new BufferedOutputStream(new FileOutputStream(file.toFile()));
        records = new RecordStream(out);
    }

    /**
     * Begins an event file. Where the directory has some of a run that was cut short, they stay,
     * and the new one tells that their values of its first step and later ones are void.
     *
     * @param directory the run's directory; made if it does not exist
     * @param firstStep the first step that will be written
     * @return the file, open
     * @throws IOException if it cannot be written
     */
    public static EventFile begin(Path directory, long firstStep) throws IOException {
        Files.createDirectories(directory);
        OptionalLong newest = newest(directory);
        long now = System.currentTimeMillis() / 1000;
        String name =
                String.format(
                        Locale.ROOT,
                        "events.out.tfevents.%010d.peft4j.%d.%d",
                        // readers go by the names' order, also when a clock was put back
                        Math.max(now, newest.orElse(0) + 1),
                        ProcessHandle.current().pid(),
                        COUNTER.getAndIncrement());
        EventFile events = new EventFile(directory.resolve(name), newest.isPresent());
        try {
            events.write(0, new Message().text(Events.FILE_VERSION, "brain.Event:2"));
            if (events.continued) {
                events.write(
                        firstStep,
                        new Message().message(Events.SESSION_LOG, Events.sessionStart()));
            }
            events.flush();
        } catch (IOException e) {
            events.close();
            throw e;
        }
        return events;
    }

    /**
     * Tells whether a directory has event files.
     *
     * @param directory the directory; need not exist
     * @return whether it does
     * @throws IOException if it cannot be read
     */
    public static boolean anyIn(Path directory) throws IOException {
        return Files.isDirectory(directory) && newest(directory).isPresent();
    }

    private static OptionalLong newest(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(entry -> NAME.matcher(entry.getFileName().toString()))
                    .filter(Matcher::matches)
                    .mapToLong(name -> Long.parseLong(name.group(1)))
                    .max();
        }
    }

    /**
     * Returns where it is.
     *
     * @return the file
     */
    public Path file() {
        return file;
    }

    /**
     * Tells whether the run has event files from before.
     *
     * @return whether this one goes on
     */
    public boolean continues() {
        return continued;
    }

    /**
     * Writes a point of a curve.
     *
     * @param tag the curve, such as {@code train/loss}
     * @param value the value, kept as float32
     * @param step its step
     * @throws IOException if it cannot be written
     */
    public void scalar(String tag, double value, long step) throws IOException {
        write(step, new Message().message(Events.SUMMARY, Events.scalar(tag, (float) value)));
    }

    /**
     * Writes a text.
     *
     * @param tag its name
     * @param markdown the text, which TensorBoard shows as Markdown
     * @param step its step
     * @throws IOException if it cannot be written
     */
    public void text(String tag, String markdown, long step) throws IOException {
        write(step, new Message().message(Events.SUMMARY, Events.text(tag, markdown)));
    }

    /**
     * Writes the hyper-parameters, for the tab of that name.
     *
     * @param values text by name; numbers and truth values are written as such
     * @throws IOException if they cannot be written
     */
    public void hyperParameters(Map<String, String> values) throws IOException {
        write(0, new Message().message(Events.SUMMARY, HyperParameterEvents.start(values)));
    }

    /**
     * Writes that the run was successful, for the tab of hyper-parameters.
     *
     * @throws IOException if it cannot be written
     */
    public void success() throws IOException {
        write(0, new Message().message(Events.SUMMARY, HyperParameterEvents.success()));
    }

    private void write(long step, Message content) throws IOException {
        records.write(event(System.currentTimeMillis() / 1e3, step, content).toByteArray());
    }

    static Message event(double time, long step, Message content) {
        Message event = new Message().real(Events.WALL_TIME, time);
        if (step != 0) { // which is what its absence means
            event.whole(Events.STEP, step);
        }
        return event.append(content);
    }

    /**
     * Hands what was written to the system.
     *
     * @throws IOException if it cannot be written
     */
    public void flush() throws IOException {
        out.flush();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
