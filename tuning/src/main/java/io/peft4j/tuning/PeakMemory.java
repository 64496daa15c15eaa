package io.peft4j.tuning;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The largest memory that this process has held since the measurement began.
 *
 * <p>Linux keeps the peak of the resident memory and lets a process reset its own
 * (proc_pid_clear_refs(5), value 5). Elsewhere, or where that is forbidden, the peak cannot be told
 * for one run of several, and the figure is marked as an estimate: the peak since the process
 * began, or what the Java heap alone holds.
 */
public final class PeakMemory {

    private static final Path CLEAR = Path.of("/proc/self/clear_refs");
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Pattern PEAK = Pattern.compile("(?m)^VmHWM:\\s*(\\d+) kB$");

    private final boolean reset;

    private PeakMemory(boolean reset) {
        this.reset = reset;
    }

    /**
     * A figure in megabytes of 10^6 bytes.
     *
     * @param megabytes the peak
     * @param estimated whether it is less than exact
     */
    public record Figure(double megabytes, boolean estimated) {}

    /**
     * Begins a measurement.
     *
     * @return the measurement
     */
    public static PeakMemory start() {
        // what earlier runs left on the heap is not this run's
        System.gc();
        try {
            Files.write(CLEAR, "5".getBytes(StandardCharsets.US_ASCII));
            return new PeakMemory(true);
        } catch (IOException | SecurityException e) {
            return new PeakMemory(false);
        }
    }

    /**
     * Tells the peak since the beginning; the measurement goes on.
     *
     * @return the peak
     */
    public Figure read() {
        try {
            Matcher matcher = PEAK.matcher(Files.readString(STATUS));
            if (matcher.find()) {
                return new Figure(Long.parseLong(matcher.group(1)) * 1024 / 1e6, !reset);
            }
        } catch (IOException e) {
            // no /proc: the heap is all that can be told
        }
        Runtime runtime = Runtime.getRuntime();
        return new Figure((runtime.totalMemory() - runtime.freeMemory()) / 1e6, true);
    }
}
