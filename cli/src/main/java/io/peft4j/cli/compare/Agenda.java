package io.peft4j.cli.compare;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The runs of a grid, some of which an experiment has finished before.
 *
 * @param entries the runs in the grid's order
 */
public record Agenda(List<Entry> entries) {

    /**
     * A run of the grid.
     *
     * @param spec what to train
     * @param name its directory's name
     * @param directory its directory
     * @param settings what decides its result
     * @param done the result that it has already
     */
    public record Entry(
            RunSpec spec,
            String name,
            Path directory,
            Map<String, String> settings,
            Optional<RunResult> done) {}

    /** Tells what decides the result of a run. */
    public interface Settings {

        /**
         * Collects the settings of a run.
         *
         * @param run the run
         * @return text by name
         */
        Map<String, String> of(RunSpec run);
    }

    /** Copies the entries. */
    public Agenda {
        entries = List.copyOf(entries);
    }

    /**
     * Looks at what a directory has of a grid.
     *
     * @param runs the grid's runs
     * @param names how their directories are named
     * @param folder the directory
     * @param settings what decides their results
     * @return the agenda
     * @throws IOException if a run's file cannot be read
     * @throws ExperimentException if a run was begun with other settings
     */
    public static Agenda of(
            List<RunSpec> runs, RunNames names, ExperimentFolder folder, Settings settings)
            throws IOException {
        List<Entry> entries = new ArrayList<>();
        for (RunSpec run : runs) {
            String name = names.of(run);
            Path directory = folder.file(name);
            Map<String, String> now = settings.of(run);
            Optional<RunFile> file = RunFile.read(directory);
            if (file.isPresent()) {
                requireSame(directory, file.get().settings(), now);
            }
            entries.add(new Entry(run, name, directory, now, file.flatMap(RunFile::result)));
        }
        return new Agenda(entries);
    }

    /** Says it as a resumed training does. */
    private static void requireSame(Path run, Map<String, String> then, Map<String, String> now) {
        Set<String> keys = new LinkedHashSet<>(then.keySet());
        keys.addAll(now.keySet());
        List<String> differences = new ArrayList<>();
        for (String key : keys) {
            String before = then.getOrDefault(key, "nothing");
            String after = now.getOrDefault(key, "nothing");
            if (!before.equals(after)) {
                differences.add(key + " was " + before + ", now it is " + after);
            }
        }
        if (!differences.isEmpty()) {
            throw new ExperimentException(
                    run
                            + ": expected the settings of the run that is resumed: "
                            + String.join("; ", differences));
        }
    }

    /**
     * Returns the runs without a result.
     *
     * @return what is left to do, in the grid's order
     */
    public List<Entry> toDo() {
        return entries.stream().filter(entry -> entry.done().isEmpty()).toList();
    }
}
