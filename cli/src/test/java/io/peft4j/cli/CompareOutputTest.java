package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CompareOutputTest {

    @TempDir private Path directory;

    @Test
    void aFormerComparisonIsReplaced() throws Exception {
        Files.createDirectories(directory.resolve("lora-r8"));
        Files.writeString(directory.resolve("lora-r8/metrics.jsonl"), "{}");
        Files.writeString(directory.resolve("results.json"), "{}");
        CompareOutput output = new CompareOutput(directory);
        assertThatCode(output::check).doesNotThrowAnyException();
        output.prepare();
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void anythingElseIsLeftAlone() throws Exception {
        Path thesis = Files.writeString(directory.resolve("thesis.tex"), "years of work");
        assertThatThrownBy(new CompareOutput(directory)::check)
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("thesis.tex");
        assertThat(thesis).exists();
    }

    @Test
    void embeddedDataIsCopiedToWhereLaterCommandsFindIt() throws Exception {
        EmbeddedDefault.Paths paths = EmbeddedDefault.copy(directory.resolve("embedded"));
        assertThat(paths.model().resolve("config.json")).isNotEmptyFile();
        assertThat(paths.data()).isNotEmptyFile().startsWith(directory);
        assertThat(paths.evalData()).isNotEmptyFile().startsWith(directory);
    }
}
