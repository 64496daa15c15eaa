package io.peft4j.tuning;

import io.peft4j.files.AtomicDirectories;
import io.peft4j.files.IncompleteDirectoryException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of a training: {@code OUTPUT/checkpoints/step-000123}, each published in one
 * step, with a COMPLETE file of names, sizes and SHA-256.
 */
final class Checkpoints {

    private static final Pattern NAME = Pattern.compile("step-([0-9]{6,9})");

    private final Path root;

    Checkpoints(Path output) {
        root = output.resolve("checkpoints");
    }

    Path path(int step) {
        return root.resolve(String.format(Locale.ROOT, "step-%06d", step));
    }

    /** Returns the steps with a directory, the newest first, whole or not. */
    List<Integer> steps() throws IOException {
        List<Integer> steps = new ArrayList<>();
        if (Files.isDirectory(root)) {
            try (Stream<Path> entries = Files.list(root)) {
                for (Path entry : (Iterable<Path>) entries::iterator) {
                    Matcher name = NAME.matcher(entry.getFileName().toString());
                    if (name.matches()) {
                        steps.add(Integer.parseInt(name.group(1)));
                    }
                }
            }
        }
        steps.sort(Comparator.reverseOrder());
        return steps;
    }

    /** Publishes a checkpoint. One of the same step that is whole stays; a damaged one goes. */
    Path write(int step, AtomicDirectories.DirectoryWriter writer) throws IOException {
        Path target = path(step);
        Files.createDirectories(root);
        if (Files.exists(target)) {
            if (isWhole(target)) {
                return target;
            }
            delete(target);
        }
        AtomicDirectories.publish(target, writer);
        return target;
    }

    private static boolean isWhole(Path directory) {
        try {
            AtomicDirectories.verify(directory);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Returns the newest checkpoint whose every byte is as it was written. Newer ones are renamed,
     * so that they do not count as checkpoints any more.
     *
     * @param damaged hears why newer ones are passed over
     * @throws IOException if there are checkpoints but none of them is whole
     */
    Optional<Path> newest(Consumer<String> damaged) throws IOException {
        List<Integer> steps = steps();
        List<Path> passedOver = new ArrayList<>();
        for (int step : steps) {
            try {
                AtomicDirectories.verify(path(step));
            } catch (IncompleteDirectoryException e) {
                damaged.accept("passing over the checkpoint " + path(step) + ": " + e.getMessage());
                passedOver.add(path(step));
                continue;
            }
            for (Path directory : passedOver) {
                Path aside = directory.resolveSibling(directory.getFileName() + ".damaged");
                deleteTree(aside);
                Files.move(directory, aside);
            }
            return Optional.of(path(step));
        }
        if (!steps.isEmpty()) {
            throw new IOException(
                    root
                            + ": expected a whole checkpoint to resume from, found "
                            + steps.size()
                            + " damaged");
        }
        return Optional.empty();
    }

    /** Deletes all but the newest few and the best. */
    void prune(int keep, int bestStep) throws IOException {
        List<Integer> steps = steps();
        for (int step : steps.subList(Math.min(keep, steps.size()), steps.size())) {
            if (step != bestStep) {
                delete(path(step));
            }
        }
    }

    /** Renames first: what is deleted in part must not look like a checkpoint. */
    private void delete(Path directory) throws IOException {
        Path doomed = root.resolve("." + directory.getFileName() + ".deleted");
        deleteTree(doomed);
        Files.move(directory, doomed);
        deleteTree(doomed);
    }

    private static void deleteTree(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(directory)) {
            paths = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : paths) {
            Files.delete(path);
        }
    }
}
