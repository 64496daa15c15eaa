package io.peft4j.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicDirectoriesTest {

    @TempDir Path folder;
    private Path checkpoint;

    @BeforeEach
    void name() {
        checkpoint = folder.resolve("checkpoint-10");
    }

    @Test
    void aPublishedDirectoryIsCompleteAndVerifies() throws IOException {
        publish();

        assertThat(AtomicDirectories.isComplete(checkpoint)).isTrue();
        AtomicDirectories.verify(checkpoint);
        assertThat(checkpoint.resolve("COMPLETE"))
                .content()
                .contains("\"name\":\"optimizer/state\"", "\"size\":4", "\"sha256\":\"");
        assertThat(folder).isDirectoryNotContaining("glob:**.tmp");
    }

    @Test
    void aFailingWriterPublishesNothing() {
        assertThatThrownBy(
                        () ->
                                AtomicDirectories.publish(
                                        checkpoint,
                                        directory -> {
                                            Files.writeString(directory.resolve("a"), "x");
                                            throw new IOException("No space left on device");
                                        }))
                .hasMessage("No space left on device");

        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void anExistingDirectoryIsNeverOverwritten() throws IOException {
        publish();

        assertThatThrownBy(this::publish)
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("checkpoint-10");
        AtomicDirectories.verify(checkpoint);
    }

    @Test
    void anEmptyDirectoryIsTakenOver() throws IOException {
        Files.createDirectory(checkpoint);

        publish();

        AtomicDirectories.verify(checkpoint);
    }

    @Test
    void aMissingFileIsNoticedAndNamed() throws IOException {
        publish();
        Files.delete(checkpoint.resolve("adapter"));

        assertThat(AtomicDirectories.isComplete(checkpoint)).isFalse();
        assertThatThrownBy(() -> AtomicDirectories.verify(checkpoint))
                .isInstanceOf(IncompleteDirectoryException.class)
                .hasMessageContaining("adapter")
                .hasMessageContaining("found no such file");
    }

    @Test
    void aCutFileIsNoticedBySize() throws IOException {
        publish();
        Files.writeString(checkpoint.resolve("adapter"), "weigh");

        assertThat(AtomicDirectories.isComplete(checkpoint)).isFalse();
        assertThatThrownBy(() -> AtomicDirectories.verify(checkpoint))
                .hasMessageContaining("expected 7 bytes, found 5");
    }

    @Test
    void aChangedByteIsNoticedByItsHash() throws IOException {
        publish();
        Files.writeString(checkpoint.resolve("adapter"), "weightz");

        assertThat(AtomicDirectories.isComplete(checkpoint)).isTrue();
        assertThatThrownBy(() -> AtomicDirectories.verify(checkpoint))
                .isInstanceOf(IncompleteDirectoryException.class)
                .hasMessageContaining("expected SHA-256");
    }

    @Test
    void aDirectoryWithoutListIsIncomplete() throws IOException {
        publish();
        Files.delete(checkpoint.resolve("COMPLETE"));

        assertThat(AtomicDirectories.isComplete(checkpoint)).isFalse();
        assertThatThrownBy(() -> AtomicDirectories.verify(checkpoint))
                .isInstanceOf(IncompleteDirectoryException.class)
                .hasMessageContaining("COMPLETE");
    }

    @Test
    void aHostileListIsATypedError() throws IOException {
        publish();
        for (String list :
                new String[] {
                    "",
                    "{}",
                    "[1]",
                    "[{}]",
                    "[{\"name\":\"a\"}]",
                    "[{\"name\":[],\"size\":1,\"sha256\":\"\"}]",
                    "[{\"name\":\"adapter\",\"size\":\"x\",\"sha256\":\"\"}]",
                    "[[[[[[]]]]]]"
                }) {
            Files.writeString(checkpoint.resolve("COMPLETE"), list);
            assertThatThrownBy(() -> AtomicDirectories.verify(checkpoint))
                    .as(list)
                    .isInstanceOf(IncompleteDirectoryException.class);
            assertThat(AtomicDirectories.isComplete(checkpoint)).isFalse();
        }
        Files.writeString(
                checkpoint.resolve("COMPLETE"),
                "[{\"name\":\"../secret\",\"size\":1,\"sha256\":\"\"}]");
        assertThatThrownBy(() -> AtomicDirectories.verify(checkpoint))
                .isInstanceOf(UnsafePathException.class);
    }

    private void publish() throws IOException {
        AtomicDirectories.publish(
                checkpoint,
                directory -> {
                    Files.writeString(directory.resolve("adapter"), "weights");
                    Files.createDirectory(directory.resolve("optimizer"));
                    Files.writeString(directory.resolve("optimizer/state"), "adam");
                });
    }
}
