package io.peft4j.cli.pipeline;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A stage that is ready to be done: a command with all its flags.
 *
 * @param name the stage's name; of an evaluation, {@code evaluation of …}
 * @param command the command
 * @param flags its flags, as one would type them
 * @param settings the flags that decide the result, and their values
 * @param inputs those of them that name a file or directory, whose content decides
 * @param output its directory, if it writes one
 * @param resumable whether the command can go on with what it left there
 * @param before the evaluation of what it begins with, if it trains
 * @param after the evaluation of what it makes, if it trains
 */
public record PlannedStage(
        String name,
        String command,
        List<String> flags,
        Map<String, String> settings,
        Map<String, Path> inputs,
        Optional<Path> output,
        boolean resumable,
        Optional<String> before,
        Optional<String> after) {

    /** Copies the lists. */
    public PlannedStage {
        flags = List.copyOf(flags);
        settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
        inputs = Collections.unmodifiableMap(new LinkedHashMap<>(inputs));
    }

    /**
     * Tells whether this only measures what a stage made.
     *
     * @return whether the pipeline put it in by itself
     */
    public boolean isEvaluation() {
        return name.startsWith(EVALUATION_OF);
    }

    /** How the names of evaluations begin; no stage's does. */
    public static final String EVALUATION_OF = "evaluation of ";
}
