package io.peft4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The directory that compare writes. A former comparison in it is replaced; anything else is left
 * alone.
 */
final class CompareOutput {

    private static final Set<String> FILES =
            Set.of("results.json", "report.html", "loss_curves.png", "embedded");
    private static final Pattern RUN = Pattern.compile("(lora|dora)-r\\d+");

    private final Path root;

    CompareOutput(Path root) {
        this.root = root;
    }

    Path file(String name) {
        return root.resolve(name);
    }

    Path run(String method, int rank) {
        return root.resolve(method + "-r" + rank);
    }

    /** Refuses a directory that holds anything but a comparison. */
    void check() throws IOException {
        for (Path entry : entries()) {
            if (!isOurs(entry)) {
                throw new UsageException(
                        "--output "
                                + root
                                + " holds "
                                + entry.getFileName()
                                + ", which is no part of a comparison; choose another directory");
            }
        }
    }

    /** Makes the directory, without what a former comparison left. */
    void prepare() throws IOException {
        Files.createDirectories(root);
        for (Path entry : entries()) {
            delete(entry);
        }
    }

    /** Deletes the checkpoints of a run that is done: nobody resumes it. */
    static void dropCheckpoints(Path run) throws IOException {
        delete(run.resolve("checkpoints"));
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
        if (!Files.exists(root)) {
            return List.of();
        }
        if (!Files.isDirectory(root)) {
            throw new UsageException("--output: expected a directory, found a file: " + root);
        }
        try (Stream<Path> entries = Files.list(root)) {
            return entries.toList();
        }
    }

    private static boolean isOurs(Path entry) {
        String name = entry.getFileName().toString();
        return FILES.contains(name) || RUN.matcher(name).matches();
    }
}
