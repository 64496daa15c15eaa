package io.peft4j.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs one side in a process of its own, with nothing beside it, and takes its last line. Settings
 * are those of this process.
 */
final class ChildProcess {

    /** What the launcher sets for Java, which is not how the other side runs. */
    private static final String ALLOCATOR = "GLIBC_TUNABLES";

    private ChildProcess() {}

    static String java(Class<?> main, List<String> arguments, String... options)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ownOptions());
        command.addAll(List.of(options));
        command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(arguments);
        return run(new ProcessBuilder(command));
    }

    /** This process's own, which benchmarks/start has from the launcher's settings. */
    private static List<String> ownOptions() {
        return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(option -> option.startsWith("-X"))
                .toList();
    }

    static String python(String interpreter, Path script, List<String> arguments)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(interpreter, script.toString()));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().remove(ALLOCATOR);
        return run(builder);
    }

    private static String run(ProcessBuilder builder) throws IOException, InterruptedException {
        builder.redirectError(ProcessBuilder.Redirect.INHERIT);
        Process process = builder.start();
        process.getOutputStream().close();
        List<String> lines =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .toList();
        int exit = process.waitFor();
        if (exit != 0 || lines.isEmpty()) {
            throw new IOException(
                    "exit code "
                            + exit
                            + " of "
                            + String.join(" ", builder.command())
                            + "; see above");
        }
        return lines.get(lines.size() - 1);
    }
}
