package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class EmbeddedDefaultCopyTest {

    @TempDir private Path directory;

    @Test
    void embeddedDataIsCopiedOnceToWhereLaterCommandsFindIt() throws Exception {
        EmbeddedDefault.Paths paths = EmbeddedDefault.copy(directory.resolve("embedded"));
        assertThat(paths.model().resolve("config.json")).isNotEmptyFile();
        assertThat(paths.data()).isNotEmptyFile().startsWith(directory);
        assertThat(paths.evalData()).isNotEmptyFile().startsWith(directory);
        FileTime written = Files.getLastModifiedTime(paths.data());
        assertThat(EmbeddedDefault.copy(directory.resolve("embedded"))).isEqualTo(paths);
        assertThat(Files.getLastModifiedTime(paths.data())).isEqualTo(written);
    }
}
