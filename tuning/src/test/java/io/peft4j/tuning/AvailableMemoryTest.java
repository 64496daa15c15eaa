package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Linux says of memory, in files as it writes them. */
class AvailableMemoryTest {

    private static final long MEGABYTE = 1 << 20;

    @TempDir private Path root;
    private Path proc;
    private Path groups;

    @BeforeEach
    void aSystemOfEightGigabytes() throws IOException {
        proc = Files.createDirectories(root.resolve("proc/self")).getParent();
        groups = Files.createDirectories(root.resolve("cgroup"));
        write(
                proc.resolve("meminfo"),
                "MemTotal:       16384000 kB\nMemFree:          100000 kB\n"
                        + "MemAvailable:    8388608 kB\nBuffers:           10000 kB\n");
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void group(String path, String limit, long usedMegabytes) throws IOException {
        Path directory = groups.resolve(path);
        write(directory.resolve("memory.max"), limit + "\n");
        write(directory.resolve("memory.current"), usedMegabytes * MEGABYTE + "\n");
        write(
                directory.resolve("memory.stat"),
                "anon 5\nfile 9\ninactive_file " + 100 * MEGABYTE + "\nactive_file 7\n");
    }

    private long read() {
        return new AvailableMemory(proc, groups).read().orElseThrow();
    }

    @Test
    void withoutGroupsItIsWhatTheSystemHas() {
        assertThat(read()).isEqualTo(8192 * MEGABYTE);
    }

    @Test
    void aGroupsLimitCountsAndItsCachedFilesDoNot() throws IOException {
        write(proc.resolve("self/cgroup"), "0::/jobs/one\n");
        group("jobs/one", String.valueOf(2048 * MEGABYTE), 600);
        assertThat(read()).isEqualTo((2048 - 600 + 100) * MEGABYTE);
    }

    @Test
    void aTighterGroupAboveDecides() throws IOException {
        write(proc.resolve("self/cgroup"), "0::/jobs/one\n");
        group("jobs/one", "max", 10);
        group("jobs", String.valueOf(1000 * MEGABYTE), 300);
        assertThat(read()).isEqualTo((1000 - 300 + 100) * MEGABYTE);
    }

    @Test
    void inAContainerTheRootIsTheGroup() throws IOException {
        write(proc.resolve("self/cgroup"), "0::/../../outside\n");
        group("", String.valueOf(500 * MEGABYTE), 600);
        assertThat(read()).as("over its limit").isZero();
    }

    @Test
    void versionOneHasFilesOfItsOwn() throws IOException {
        write(proc.resolve("self/cgroup"), "5:cpu,cpuacct:/job\n4:memory:/job\n0::/job\n");
        Path job = groups.resolve("memory/job");
        write(job.resolve("memory.limit_in_bytes"), 3000 * MEGABYTE + "\n");
        write(job.resolve("memory.usage_in_bytes"), 1000 * MEGABYTE + "\n");
        write(
                job.resolve("memory.stat"),
                "inactive_file 1\ntotal_inactive_file " + 50 * MEGABYTE + "\n");
        write(groups.resolve("memory/memory.limit_in_bytes"), "9223372036854771712\n");
        assertThat(read()).isEqualTo((3000 - 1000 + 50) * MEGABYTE);
    }

    @Test
    void aLimitBeyondAllMemoryIsNone() throws IOException {
        write(proc.resolve("self/cgroup"), "0::/job\n");
        group("job", String.valueOf(64_000 * MEGABYTE), 1);
        assertThat(read()).isEqualTo(8192 * MEGABYTE);
    }

    @Test
    void thisMachineHasSome() {
        assertThat(AvailableMemory.of(Device.cpu()).orElseThrow()).isPositive();
    }
}
