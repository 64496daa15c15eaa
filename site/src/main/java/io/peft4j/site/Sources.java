package io.peft4j.site;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The Java files of the repository, to look for code that pages show. What stands between {@code //
 * example pauses} and {@code // example goes on} is a test's own and is on no page.
 */
public final class Sources {

    private static final Pattern PAUSE =
            Pattern.compile("\n *// example pauses.*?// example goes on *(?=\n)", Pattern.DOTALL);

    private final List<String> files;

    private Sources(List<String> files) {
        this.files = files;
    }

    /**
     * Reads the Java files below a root that the build compiles.
     *
     * @param root the repository's root
     * @return the files
     * @throws IOException if one cannot be read
     */
    public static Sources of(Path root) throws IOException {
        List<String> files = new ArrayList<>();
        List<Path> trees = new ArrayList<>();
        try (Stream<Path> found =
                Files.find(
                        root,
                        5, // modules, and modules of examples
                        (path, attributes) ->
                                attributes.isDirectory()
                                        && (path.endsWith("src/main/java")
                                                || path.endsWith("src/test/java")))) {
            found.forEach(trees::add);
        }
        for (Path tree : trees) {
            try (Stream<Path> walk = Files.walk(tree)) {
                for (Path file : (Iterable<Path>) walk::iterator) {
                    if (file.toString().endsWith(".java")) {
                        files.add(normal(PAUSE.matcher(Files.readString(file)).replaceAll("")));
                    }
                }
            }
        }
        return new Sources(files);
    }

    /**
     * Tells whether code stands in a file, line by line, wherever its left margin is.
     *
     * @param code the code
     * @return whether there is such a file
     */
    public boolean contain(String code) {
        String wanted = normal(code.strip() + "\n");
        return files.stream().anyMatch(file -> file.contains(wanted));
    }

    private static String normal(String code) {
        return code.lines().map(String::strip).collect(Collectors.joining("\n", "\n", "\n"));
    }
}
