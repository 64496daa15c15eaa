package io.peft4j.tuning;

import ai.djl.Device;
import ai.djl.util.cuda.CudaUtils;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The memory that this process can still get.
 *
 * <p>On Linux it is {@code MemAvailable}, or what the control groups that the process is in leave
 * of their limits, if that is less; pages that only cache files do not count as used. Elsewhere it
 * is the system's free memory. On a GPU it is what the driver calls free.
 */
public final class AvailableMemory {

    private static final Pattern AVAILABLE = Pattern.compile("(?m)^MemAvailable:\\s*(\\d+) kB$");
    // hierarchy:controllers:path; version 2 has no controllers
    private static final Pattern GROUP = Pattern.compile("\\d+:([^:]*):(/.*)");

    private final Path proc;
    private final Path groups;

    /**
     * Reads from other places, as tests do.
     *
     * @param proc what is {@code /proc}
     * @param groups what is {@code /sys/fs/cgroup}
     */
    AvailableMemory(Path proc, Path groups) {
        this.proc = proc;
        this.groups = groups;
    }

    /**
     * Tells the memory of a device.
     *
     * @param device where the model is
     * @return bytes; empty if the system does not tell
     */
    public static OptionalLong of(Device device) {
        return device.isGpu()
                ? ofGpu(device)
                : new AvailableMemory(Path.of("/proc"), Path.of("/sys/fs/cgroup")).read();
    }

    private static OptionalLong ofGpu(Device device) {
        try {
            MemoryUsage usage = CudaUtils.getGpuMemory(device);
            return OptionalLong.of(usage.getMax() - usage.getCommitted());
        } catch (RuntimeException | LinkageError e) { // of a driver that DJL cannot ask
            return OptionalLong.empty();
        }
    }

    OptionalLong read() {
        OptionalLong system = system();
        OptionalLong left = leftOfGroups();
        if (system.isEmpty() || left.isEmpty()) {
            return system.isEmpty() ? left : system;
        }
        return OptionalLong.of(Math.min(system.getAsLong(), left.getAsLong()));
    }

    private OptionalLong system() {
        try {
            Matcher matcher = AVAILABLE.matcher(Files.readString(proc.resolve("meminfo")));
            if (matcher.find()) {
                return OptionalLong.of(Long.parseLong(matcher.group(1)) * 1024);
            }
        } catch (IOException e) {
            // another system
        }
        return ManagementFactory.getOperatingSystemMXBean()
                        instanceof com.sun.management.OperatingSystemMXBean system
                ? OptionalLong.of(system.getFreeMemorySize())
                : OptionalLong.empty();
    }

    /** The least that a group, or one above it, leaves; empty if none has a limit. */
    private OptionalLong leftOfGroups() {
        OptionalLong least = OptionalLong.empty();
        try {
            for (String line : Files.readAllLines(proc.resolve("self/cgroup"))) {
                Matcher matcher = GROUP.matcher(line);
                if (!matcher.matches()) {
                    continue;
                }
                String controllers = matcher.group(1);
                if (controllers.isEmpty()) {
                    least = least(least, groups, matcher.group(2), GroupFiles.VERSION_2);
                } else if (List.of(controllers.split(",")).contains("memory")) {
                    Path root = groups.resolve("memory");
                    least = least(least, root, matcher.group(2), GroupFiles.VERSION_1);
                }
            }
        } catch (IOException e) {
            // another system
        }
        return least;
    }

    /** Goes from a group up to the root, which in a container is the group itself. */
    private static OptionalLong least(
            OptionalLong known, Path root, String group, GroupFiles names) {
        OptionalLong least = known;
        Path base = root.normalize();
        Path directory = base.resolve(group.substring(1)).normalize();
        if (!directory.startsWith(base)) {
            directory = base; // a group outside of this container's view
        }
        for (Path at = directory; at != null && at.startsWith(base); at = at.getParent()) {
            OptionalLong left = names.left(at);
            if (left.isPresent() && (least.isEmpty() || left.getAsLong() < least.getAsLong())) {
                least = left;
            }
        }
        return least;
    }

    /**
     * What a version of control groups calls its files.
     *
     * @param limit the file of the limit
     * @param usage the file of the usage, cached files among it
     * @param cached the entry of {@code memory.stat} for cached files that can go
     */
    private record GroupFiles(String limit, String usage, String cached) {

        static final GroupFiles VERSION_2 =
                new GroupFiles("memory.max", "memory.current", "inactive_file");
        static final GroupFiles VERSION_1 =
                new GroupFiles(
                        "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");

        /** Version 1 says no limit with a number beyond all memory. */
        private static final long NO_LIMIT = 1L << 60;

        OptionalLong left(Path directory) {
            try {
                String text = Files.readString(directory.resolve(limit)).strip();
                if (text.equals("max") || Long.parseLong(text) >= NO_LIMIT) {
                    return OptionalLong.empty();
                }
                long used = Long.parseLong(Files.readString(directory.resolve(usage)).strip());
                long left = Long.parseLong(text) - used + cached(directory);
                return OptionalLong.of(Math.max(0, left));
            } catch (IOException | NumberFormatException e) {
                return OptionalLong.empty(); // the root has no limit, and no such files
            }
        }

        private long cached(Path directory) throws IOException {
            for (String line : Files.readAllLines(directory.resolve("memory.stat"))) {
                if (line.startsWith(cached + " ")) {
                    return Long.parseLong(line.substring(cached.length() + 1).strip());
                }
            }
            return 0;
        }
    }
}
