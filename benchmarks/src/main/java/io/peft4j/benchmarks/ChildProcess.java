package io.peft4j.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Runs one side in a process of its own, with nothing beside it, and takes its last line. */
final class ChildProcess {

    // the options of the peft4j launcher
    private static final List<String> JAVA_OPTIONS =
            List.of(
                    "-XX:+UseSerialGC",
                    "-Xmn32m",
                    "-XX:TieredStopAtLevel=1",
                    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error");

    private static final Map<String, String> JAVA_ENVIRONMENT =
            Map.of("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0");

    private ChildProcess() {}

    static String java(Class<?> main, List<String> arguments)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(JAVA_OPTIONS);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(arguments);
        return run(command, JAVA_ENVIRONMENT);
    }

    static String python(String interpreter, Path script, List<String> arguments)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(interpreter, script.toString()));
        command.addAll(arguments);
        return run(command, Map.of());
    }

    private static String run(List<String> command, Map<String, String> variables)
            throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("OPT_OUT_TRACKING", "true");
        builder.environment().putIfAbsent("TORCH_CPP_LOG_LEVEL", "ERROR");
        builder.environment().putIfAbsent("OMP_WAIT_POLICY", "PASSIVE");
        variables.forEach(builder.environment()::putIfAbsent);
        Process process = builder.start();
        process.getOutputStream().close();
        List<String> lines =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .toList();
        int exit = process.waitFor();
        if (exit != 0 || lines.isEmpty()) {
            throw new IOException(
                    "exit code " + exit + " of " + String.join(" ", command) + "; see above");
        }
        return lines.get(lines.size() - 1);
    }
}
