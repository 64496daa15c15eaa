package io.peft4j.cli.pipeline;

import com.google.gson.JsonObject;
import io.peft4j.files.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A pipeline's output directory: what of its stages is done, and what is left to do.
 *
 * <p>A stage is done if it was finished with the same settings, the same content of every file that
 * it reads, and its own output is what it was then. It is gone on with if it was begun with the
 * same. Else it is begun anew, and what it had written is deleted first. So a pipeline that is
 * killed at any moment goes on where it was, as far as the stage's command can.
 */
public final class PipelineFolder {

    /** What is left to do of a stage. */
    public enum Todo {
        /** Nothing. */
        NOTHING,
        /** What its checkpoints have not. */
        THE_REST,
        /** All of it. */
        ALL
    }

    /**
     * What is left to do, and why.
     *
     * @param todo how much
     * @param reason why it is done again though it was finished; empty if it was not
     */
    public record Decision(Todo todo, String reason) {}

    private final Path root;
    private final PipelineState state;
    private final ContentHash hashes = new ContentHash();

    private PipelineFolder(Path root, PipelineState state) {
        this.root = root;
        this.state = state;
    }

    /**
     * Opens a directory, which the caller has locked.
     *
     * @param root the directory; it may be new
     * @return what it holds
     * @throws IOException if what a former call left cannot be read
     */
    public static PipelineFolder open(Path root) throws IOException {
        return new PipelineFolder(root, PipelineState.read(root));
    }

    /**
     * Names a file in it.
     *
     * @param name its name
     * @return its path
     */
    public Path file(String name) {
        return root.resolve(name);
    }

    /**
     * Decides what is left to do of a stage, and makes its directory ready for that.
     *
     * @param stage the stage; those before it are finished
     * @return what to do
     * @throws PipelineException if the stage's directory holds something that no pipeline wrote
     * @throws IOException if a file cannot be read, or what is out of date cannot be deleted
     */
    public Decision begin(PlannedStage stage) throws IOException {
        Map<String, String> settings = settings(stage);
        Optional<StageRecord> former = state.get(stage.name());
        if (former.isEmpty()) {
            requireNothing(stage);
            state.put(stage.name(), StageRecord.begun(settings));
            return new Decision(Todo.ALL, "");
        }
        StageRecord record = former.get();
        String reason = difference(record.settings(), settings);
        if (reason.isEmpty() && record.isFinished()) {
            if (record.outputHash().equals(outputHash(stage))) {
                return new Decision(Todo.NOTHING, "");
            }
            reason = stage.output().orElse(root) + " is not what it was when it was finished";
        } else if (reason.isEmpty() && stage.resumable()) {
            return new Decision(Todo.THE_REST, "");
        }
        if (stage.output().isPresent()) {
            hashes.forget(stage.output().get());
            Trees.delete(
                    stage.output().get()); // a kill from here on: its output is not what it was
        }
        state.put(stage.name(), StageRecord.begun(settings));
        return new Decision(Todo.ALL, reason);
    }

    /**
     * Keeps how long a stage took that was stopped.
     *
     * @param stage the stage
     * @param seconds since it was begun or gone on with
     * @throws IOException if that cannot be written
     */
    public void stopped(PlannedStage stage, double seconds) throws IOException {
        state.put(stage.name(), record(stage).stopped(seconds));
    }

    /**
     * Keeps what came of a stage.
     *
     * @param stage the stage
     * @param seconds since it was begun or gone on with
     * @param result what its command printed
     * @throws IOException if its output cannot be read or that cannot be written
     */
    public void finished(PlannedStage stage, double seconds, JsonObject result) throws IOException {
        stage.output().ifPresent(hashes::forget);
        state.put(
                stage.name(),
                record(stage).finished(seconds, outputHash(stage).orElse(null), result));
    }

    StageRecord record(PlannedStage stage) {
        return state.get(stage.name())
                .orElseThrow(() -> new IllegalStateException(stage.name() + " was not begun"));
    }

    private Map<String, String> settings(PlannedStage stage) throws IOException {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("command", stage.command());
        settings.putAll(stage.settings());
        for (Map.Entry<String, Path> input : stage.inputs().entrySet()) {
            if (Files.exists(input.getValue())) { // else a name on the hub, or to be refused
                String flag = input.getKey();
                settings.remove(flag, input.getValue().toString()); // wherever it lies
                settings.put(flag + " (SHA-256)", hashes.ofInput(input.getValue()));
            }
        }
        return settings;
    }

    private Optional<String> outputHash(PlannedStage stage) throws IOException {
        Optional<Path> output = stage.output().filter(Files::isDirectory);
        return output.isEmpty() ? Optional.empty() : Optional.of(ContentHash.of(output.get()));
    }

    private void requireNothing(PlannedStage stage) throws IOException {
        if (stage.output().isEmpty() || !Files.exists(stage.output().get())) {
            return;
        }
        Path output = stage.output().get();
        if (Files.isDirectory(output)) {
            try (Stream<Path> entries = Files.list(output)) {
                if (entries.findAny().isEmpty()) {
                    return;
                }
            }
        }
        throw new PipelineException(
                output
                        + " is there already, and "
                        + root.resolve(PipelineState.NAME)
                        + " knows nothing of it; choose another output, or move it away");
    }

    /** Says the first setting that is another one. */
    private static String difference(Map<String, String> was, Map<String, String> is) {
        Set<String> keys = new LinkedHashSet<>(is.keySet());
        keys.addAll(was.keySet());
        for (String key : keys) {
            if (!Objects.equals(was.get(key), is.get(key))) {
                return key + " was " + said(was.get(key)) + ", is " + said(is.get(key));
            }
        }
        return "";
    }

    private static String said(@Nullable String value) {
        return value == null ? "not given" : value;
    }
}
