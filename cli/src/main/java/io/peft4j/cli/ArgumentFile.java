package io.peft4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Arguments that lie in a file: {@code peft4j train @recipe.args --output out}. Only what stands
 * directly after the command's name is such a file, where no value of a flag can stand, so that a
 * prompt may begin with @. In the file white space separates arguments, double quotes hold one
 * together, and what follows a # at the beginning of an argument is a comment. A flag on the
 * command line takes the place of the file's.
 */
final class ArgumentFile {

    private static final int LONGEST = 1 << 20; // bytes

    private ArgumentFile() {}

    /** Puts the file's arguments in the place of its name, but for flags that stand behind it. */
    static String[] expand(String... args) {
        if (args.length < 2 || args[0].startsWith("-") || !args[1].startsWith("@")) {
            return args;
        }
        List<String> own = List.of(args).subList(2, args.length);
        Set<String> given = own.stream().map(ArgumentFile::flag).collect(Collectors.toSet());
        List<String> all = new ArrayList<>();
        all.add(args[0]);
        boolean replaced = false;
        for (String argument : read(args[1].substring(1))) {
            // the values of a flag that is left out are left out with it
            replaced = isFlag(argument) ? given.contains(flag(argument)) : replaced;
            if (!replaced) {
                all.add(argument);
            }
        }
        all.addAll(own);
        return all.toArray(String[]::new);
    }

    private static boolean isFlag(String argument) {
        return argument.startsWith("--");
    }

    /** Returns a flag without the value that may stand in the same argument. */
    private static String flag(String argument) {
        int equals = argument.indexOf('=');
        return isFlag(argument) && equals > 0 ? argument.substring(0, equals) : argument;
    }

    private static List<String> read(String name) {
        List<String> arguments = new ArrayList<>();
        try {
            Path file = Path.of(name);
            Checks.file("@", file);
            if (Files.size(file) > LONGEST) {
                throw new UsageException(
                        "@" + name + ": expected at most " + LONGEST + " bytes of arguments");
            }
            int number = 0;
            for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                number++;
                read(line, "@" + name + ":" + number, arguments);
            }
        } catch (InvalidPathException e) {
            throw new UsageException("@: no such file: " + name, e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return arguments;
    }

    private static void read(String line, String where, List<String> arguments) {
        int at = 0;
        while (at < line.length()) {
            if (Character.isWhitespace(line.charAt(at))) {
                at++;
                continue;
            }
            if (line.charAt(at) == '#') {
                return;
            }
            StringBuilder argument = new StringBuilder();
            boolean quoted = false;
            for (;
                    at < line.length() && (quoted || !Character.isWhitespace(line.charAt(at)));
                    at++) {
                if (line.charAt(at) == '"') {
                    quoted = !quoted;
                } else {
                    argument.append(line.charAt(at));
                }
            }
            if (quoted) {
                throw new UsageException(where + ": expected a second \", found the line's end");
            }
            arguments.add(argument.toString());
        }
    }
}
