package io.peft4j.cli.compare;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command that starts this program again, with the same Java, options and class path. */
public final class ChildJvm {

    private ChildJvm() {}

    /**
     * Writes the command.
     *
     * @param mainClass the class to start
     * @param args its arguments
     * @return the words of the command
     */
    public static List<String> command(String mainClass, List<String> args) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            // a debugger's port, or a profiler's file, is this process's
            if (!option.startsWith("-agentlib")
                    && !option.startsWith("-agentpath")
                    && !option.startsWith("-javaagent")) {
                command.add(option);
            }
        }
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass));
        command.addAll(args);
        return command;
    }
}
