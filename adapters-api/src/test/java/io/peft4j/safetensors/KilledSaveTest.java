package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import io.peft4j.files.AtomicDirectories;
import io.peft4j.files.AtomicFiles;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KilledSaveTest {

    private static final int KILLS = 15;

    @TempDir Path folder;

    @Test
    void aKillAtAnyMomentLeavesTheOldFileOrTheNewOneAndOnlyWholeDirectories() throws Exception {
        Path file = folder.resolve("adapter_model.safetensors");
        Random random = new Random(3);
        int leftovers = 0;
        for (int kill = 0; kill < KILLS; kill++) {
            int first = 1000 * kill;
            Process child = start(first);
            try (BufferedReader out =
                    new BufferedReader(
                            new InputStreamReader(
                                    child.getInputStream(), StandardCharsets.UTF_8))) {
                assertThat(out.readLine()).isEqualTo(String.valueOf(first));
                TimeUnit.MICROSECONDS.sleep(random.nextInt(20_000));
                child.destroyForcibly();
                assertThat(child.waitFor(20, TimeUnit.SECONDS)).isTrue();
                assertThat(child.exitValue()).isEqualTo(128 + 9);
            }
            assertOneRoundOnly(file, first);
            leftovers += checkDirectories();
        }
        assertThat(leftovers).as("kills that hit a write").isPositive();

        AtomicFiles.sweepStale(folder);
        assertThat(checkDirectories()).isZero();
    }

    private Process start(int round) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        SavingProcess.class.getName(),
                        folder.toString(),
                        String.valueOf(round))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static void assertOneRoundOnly(Path path, int first) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            float[] a = file.toFloats("a");
            float[] b = file.toFloats("b");
            assertThat(a[0]).isGreaterThanOrEqualTo(first);
            for (int i = 0; i < a.length; i++) {
                if (a[i] != a[0] || b[i] != a[0]) {
                    throw new AssertionError("mixed rounds " + a[0] + ", " + a[i] + ", " + b[i]);
                }
            }
        }
    }

    /** Returns how many temporary files the kills have left so far. */
    private int checkDirectories() throws IOException {
        int temporary = 0;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (name.startsWith("checkpoint-")) {
                    AtomicDirectories.verify(entry);
                } else if (name.endsWith(".tmp")) {
                    temporary++;
                }
            }
        }
        return temporary;
    }
}
