package io.peft4j.cli.compare;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The directory of an experiment: its reports, and a directory per run. */
public final class ExperimentFolder {

    private static final Set<String> FILES =
            Set.of(
                    "results.json",
                    "results.csv",
                    "report.html",
                    "loss_curves.png",
                    "held_out_loss.png",
                    "embedded");

    /** Of releases whose runs had no {@code run.json}. */
    private static final Pattern EARLIER = Pattern.compile("(lora|dora)-r\\d+");

    private final Path root;

    /**
     * Names the directory.
     *
     * @param root the directory, which may not exist yet
     */
    public ExperimentFolder(Path root) {
        this.root = root;
    }

    /**
     * Returns the directory.
     *
     * @return where all of it is
     */
    public Path root() {
        return root;
    }

    /**
     * Names a file or a run's directory in it.
     *
     * @param name its name
     * @return its path
     */
    public Path file(String name) {
        return root.resolve(name);
    }

    /**
     * Refuses a directory that holds anything but an experiment, and one that holds an experiment
     * unless it is said what is to become of that.
     *
     * @param resume whether to go on with it
     * @param overwrite whether to delete it
     * @throws IOException if the directory cannot be read
     * @throws ExperimentException if it is to be left alone
     */
    public void check(boolean resume, boolean overwrite) throws IOException {
        List<Path> entries = entries();
        for (Path entry : entries) {
            if (!isOurs(entry)) {
                throw new ExperimentException(
                        "--output "
                                + root
                                + " holds "
                                + entry.getFileName()
                                + ", which is no part of a comparison; choose another directory");
            }
        }
        if (!resume && !overwrite && entries.stream().anyMatch(entry -> !isHidden(entry))) {
            throw new ExperimentException(
                    "--output "
                            + root
                            + " already holds a comparison; --resume goes on with it and keeps its"
                            + " finished runs, --overwrite deletes it, or choose another"
                            + " directory");
        }
    }

    /**
     * Deletes what a former experiment left, but not the lock of this one.
     *
     * @throws IOException if something cannot be deleted
     */
    public void clear() throws IOException {
        for (Path entry : entries()) {
            if (!entry.getFileName().toString().equals(RunLock.NAME)) {
                delete(entry);
            }
        }
    }

    /**
     * Returns the directories of runs.
     *
     * @return their names, sorted
     * @throws IOException if the directory cannot be read
     */
    public List<String> runs() throws IOException {
        return entries().stream()
                .filter(entry -> Files.exists(entry.resolve(RunFile.NAME)))
                .map(entry -> entry.getFileName().toString())
                .sorted()
                .toList();
    }

    /**
     * Deletes the checkpoints of a run that is done: nobody resumes it.
     *
     * @param run the run's directory
     * @throws IOException if something cannot be deleted
     */
    public static void dropCheckpoints(Path run) throws IOException {
        delete(run.resolve("checkpoints"));
    }

    /**
     * Tells whether a run was begun and left a checkpoint.
     *
     * @param run the run's directory
     * @return whether there is something to go on from
     */
    public static boolean hasCheckpoints(Path run) {
        return Files.isDirectory(run.resolve("checkpoints"));
    }

    private static void delete(Path entry) throws IOException {
        if (Files.exists(entry)) {
            try (Stream<Path> tree = Files.walk(entry)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
        }
    }

    private List<Path> entries() throws IOException {
        return entries(root);
    }

    private static List<Path> entries(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return List.of();
        }
        if (!Files.isDirectory(directory)) {
            throw new ExperimentException(
                    "--output: expected a directory, found a file: " + directory);
        }
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.toList();
        }
    }

    private static boolean isOurs(Path entry) throws IOException {
        String name = entry.getFileName().toString();
        return FILES.contains(name) || isHidden(entry) || isRun(entry);
    }

    private static boolean isRun(Path entry) throws IOException {
        if (!Files.isDirectory(entry)) {
            return false;
        }
        return Files.exists(entry.resolve(RunFile.NAME))
                || EARLIER.matcher(entry.getFileName().toString()).matches()
                // a kill came before the first file had its name
                || entries(entry).stream().allMatch(ExperimentFolder::isHidden);
    }

    /** The lock, and what a kill left of a file that was being written. */
    private static boolean isHidden(Path entry) {
        String name = entry.getFileName().toString();
        return name.equals(RunLock.NAME) || (name.startsWith(".") && name.endsWith(".tmp"));
    }
}
