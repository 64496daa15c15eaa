package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ExperimentFolderTest {

    @TempDir private Path directory;
    private ExperimentFolder folder;

    @BeforeEach
    void name() {
        folder = new ExperimentFolder(directory);
    }

    @Test
    void aFormerComparisonIsKeptUnlessItIsSaidWhatIsToBecomeOfIt() throws Exception {
        RunFile.begun(Map.of("seed", "1")).write(directory.resolve("lora-r8"));
        Files.writeString(directory.resolve("results.json"), "{}");
        assertThatThrownBy(() -> folder.check(false, false))
                .isInstanceOf(ExperimentException.class)
                .hasMessageContaining("--resume")
                .hasMessageContaining("--overwrite");
        assertThatCode(() -> folder.check(true, false)).doesNotThrowAnyException();
        assertThatCode(() -> folder.check(false, true)).doesNotThrowAnyException();
        assertThat(folder.runs()).containsExactly("lora-r8");
    }

    @Test
    void clearingLeavesTheLockOfTheNewComparison() throws Exception {
        Files.createDirectories(directory.resolve("lora-r8/checkpoints/step-000001"));
        Files.writeString(directory.resolve("report.html"), "");
        try (RunLock lock = RunLock.take(directory, Duration.ZERO)) {
            folder.clear();
        }
        assertThat(directory.toFile().list()).containsExactly(RunLock.NAME);
        assertThatCode(() -> folder.check(false, false)).doesNotThrowAnyException();
    }

    @Test
    void anythingElseIsLeftAlone() throws Exception {
        Path thesis = Files.writeString(directory.resolve("thesis.tex"), "years of work");
        assertThatThrownBy(() -> folder.check(false, true))
                .isInstanceOf(ExperimentException.class)
                .hasMessageContaining("thesis.tex");
        Path pictures = Files.createDirectories(directory.resolve("pictures"));
        Files.writeString(pictures.resolve("run.txt"), "");
        Files.delete(thesis);
        assertThatThrownBy(() -> folder.check(true, false)).hasMessageContaining("pictures");
    }

    @Test
    void aKillBeforeTheFirstFileOfARunIsNoObstacle() throws Exception {
        Path run = Files.createDirectories(directory.resolve("dora-r4"));
        Files.writeString(run.resolve(".run.json.77-1.tmp"), "{");
        assertThatCode(() -> folder.check(true, false)).doesNotThrowAnyException();
    }

    @Test
    void twoComparisonsDoNotWriteIntoOneDirectory() throws Exception {
        try (RunLock lock = RunLock.take(directory, Duration.ZERO)) {
            assertThatThrownBy(() -> RunLock.take(directory, Duration.ofMillis(150)))
                    .isInstanceOf(ExperimentException.class)
                    .hasMessageContaining("another process");
        }
        try (RunLock lock = RunLock.take(directory, Duration.ZERO)) {
            assertThat(directory.resolve(RunLock.NAME)).exists();
        }
    }
}
