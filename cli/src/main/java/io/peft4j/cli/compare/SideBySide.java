package io.peft4j.cli.compare;

import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * How many runs share the machine, and why.
 *
 * @param runs processes at a time; 1 is this process alone, one run after the other
 * @param threads native threads of each; empty if the environment or libtorch says it
 * @param reason in a few words
 */
public record SideBySide(int runs, OptionalInt threads, String reason) {

    /** Below this a run leaves the other core of a small machine idle between its kernels. */
    private static final int CORES_PER_RUN = 2;

    /** What is left to the system, and to what was not foretold. */
    private static final double SHARE_OF_MEMORY = 0.85;

    /**
     * Takes the number that a flag says.
     *
     * @param wanted runs at a time
     * @param toDo the runs there are
     * @param cores the processors of the machine
     * @return the number, but no more than there are runs
     */
    public static SideBySide given(int wanted, int toDo, int cores) {
        return of(Math.max(1, Math.min(wanted, toDo)), cores, "as --parallel says");
    }

    /**
     * Chooses by what the machine has.
     *
     * @param toDo the runs there are
     * @param cores the processors of the machine
     * @param bytesPerRun the memory that the largest run takes; empty if it cannot be told
     * @param available the memory at hand; empty if it cannot be told
     * @return the number
     */
    public static SideBySide chosen(
            int toDo, int cores, OptionalLong bytesPerRun, OptionalLong available) {
        int byCores = Math.min(toDo, cores / CORES_PER_RUN);
        if (byCores <= 1) {
            return of(1, cores, toDo > 1 ? cores + " cores" : "one run");
        }
        if (bytesPerRun.isEmpty() || available.isEmpty()) {
            return of(1, cores, "the memory of a run cannot be foretold; --parallel says more");
        }
        long fit = (long) (available.getAsLong() * SHARE_OF_MEMORY) / bytesPerRun.getAsLong();
        return fit < byCores
                ? of((int) Math.max(1, fit), cores, "more would not fit into the memory at hand")
                : of(byCores, cores, cores + " cores");
    }

    private static SideBySide of(int runs, int cores, String reason) {
        return new SideBySide(
                runs,
                runs == 1 ? OptionalInt.empty() : OptionalInt.of(Math.max(1, cores / runs)),
                reason);
    }
}
