package io.peft4j.site;

import static io.peft4j.site.Repository.ROOT;

import io.peft4j.cli.Peft4j;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The commands of pages, run in this process as if a directory were the current one. */
final class PageCommands {

    private static final String CLI = "./peft4j ";
    private static final Pattern BETWEEN_COMMANDS = Pattern.compile("\n|&&|\\|\\||;|\\{| 2>&1");
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

    /** Flags whose value is a path. */
    private static final Set<String> PATHS =
            Set.of(
                    "--model",
                    "--adapter",
                    "--init-adapter",
                    "--adapters",
                    "--tokenizer",
                    "--data",
                    "--eval-data",
                    "--test",
                    "--output",
                    "inspect");

    private final Path directory;

    PageCommands(Path directory) {
        this.directory = directory;
    }

    /** Returns the commands of a block, of which each may go over several lines. */
    static Stream<String> lines(String block) {
        return block.replaceAll("\\\\\n *", "").lines().filter(line -> !line.isBlank());
    }

    static boolean isRunnable(String line) {
        return line.startsWith(CLI);
    }

    /** Tells whether continuous integration runs the command, word for word. */
    static boolean isInCi(String line) {
        try {
            return BETWEEN_COMMANDS
                    .splitAsStream(Files.readString(ROOT.resolve(".ci/run")))
                    .anyMatch(command -> command.strip().equals(line.strip()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs a line; an AssertionError tells what it said if it failed. */
    void run(String line) {
        int comment = line.indexOf(" #");
        String command = comment < 0 ? line : line.substring(0, comment);
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code =
                Peft4j.run(
                        words(command.substring(CLI.length())).toArray(String[]::new),
                        new PrintWriter(out),
                        new PrintWriter(err));
        if (code != 0) {
            throw new AssertionError(line + "\nended with " + code + "\n" + err);
        }
    }

    private List<String> words(String command) {
        List<String> words = new ArrayList<>();
        Matcher matcher = WORD.matcher(command);
        while (matcher.find()) {
            String word = matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
            boolean path =
                    !words.isEmpty()
                            && PATHS.contains(words.get(words.size() - 1))
                            && !word.startsWith("--");
            words.add(path ? directory.resolve(word).toString() : word);
        }
        return words;
    }
}
