package io.peft4j.cli;

import ai.djl.Device;
import ai.djl.util.cuda.CudaUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The memory that a training holds at the moment: on the CPU what of this process is resident, on a
 * GPU what is taken there, by whomever.
 */
final class MemoryInUse {

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s*(\\d+) kB$");

    private MemoryInUse() {}

    /** Tells the bytes; empty if the system does not tell. */
    static OptionalLong of(Device device) {
        try {
            if (device.isGpu()) {
                return OptionalLong.of(CudaUtils.getGpuMemory(device).getCommitted());
            }
            Matcher matcher = RESIDENT.matcher(Files.readString(STATUS));
            if (matcher.find()) {
                return OptionalLong.of(Long.parseLong(matcher.group(1)) * 1024);
            }
        } catch (IOException | RuntimeException | LinkageError e) {
            // another system, or a driver that DJL cannot ask
        }
        return OptionalLong.empty();
    }
}
