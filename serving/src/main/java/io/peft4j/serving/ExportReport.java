package io.peft4j.serving;

import java.nio.file.Path;
import java.util.List;

/**
 * What was written for a server.
 *
 * @param server the server
 * @param written what to give it: a directory, or for llama.cpp a file
 * @param rank the rank of all modules
 * @param modules how well each module is kept, in model order
 * @param needs how the server is to be started; empty if in no special way
 */
public record ExportReport(
        Server server, Path written, int rank, List<Kept> modules, List<String> needs) {

    /** Copies the lists. */
    public ExportReport {
        modules = List.copyOf(modules);
        needs = List.copyOf(needs);
    }

    /**
     * How well one module is kept.
     *
     * @param path its path
     * @param energy the share of the adapter's squared change that the rank holds; 1 if nothing was
     *     cut
     */
    public record Kept(String path, double energy) {}

    /**
     * Returns the module that lost most.
     *
     * @return the smallest kept share; 1 if nothing was cut
     */
    public double leastEnergy() {
        return modules.stream().mapToDouble(Kept::energy).min().orElse(1);
    }
}
