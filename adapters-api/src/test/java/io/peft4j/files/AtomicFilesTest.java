package io.peft4j.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {

    @TempDir Path folder;

    @Test
    void aNewFileHoldsWhatWasWritten() throws IOException {
        Path file = folder.resolve("a.txt");

        AtomicFiles.writeString(file, "Zürich");

        assertThat(file).hasContent("Zürich");
        assertThat(names()).containsExactly("a.txt");
    }

    @Test
    void aShorterFileReplacesALongerOneWhole() throws IOException {
        Path file = folder.resolve("a.txt");
        AtomicFiles.writeString(file, "a long text");

        AtomicFiles.writeStream(file, out -> out.write('b'));

        assertThat(file).hasContent("b");
    }

    @Test
    void aDiskThatFillsAtAnyByteLeavesTheOldFileAndNothingElse() throws IOException {
        Path file = folder.resolve("adapter.safetensors");
        byte[] old = "the old adapter".getBytes(StandardCharsets.UTF_8);
        Files.write(file, old);

        for (int k = 0; k < 200; k++) {
            int capacity = k;
            assertThatThrownBy(
                            () ->
                                    AtomicFiles.writeStream(
                                            file,
                                            out -> {
                                                for (int i = 0; i < capacity; i++) {
                                                    out.write(i);
                                                }
                                                throw new IOException("No space left on device");
                                            }))
                    .isInstanceOf(IOException.class)
                    .hasMessage("No space left on device");
            assertThat(file).hasBinaryContent(old);
            assertThat(names()).containsExactly("adapter.safetensors");
        }
    }

    @Test
    void anErrorInTheWriterLeavesNoTemporaryFile() {
        Path file = folder.resolve("a");

        assertThatThrownBy(
                        () ->
                                AtomicFiles.write(
                                        file,
                                        channel -> {
                                            throw new OutOfMemoryError("simulated");
                                        }))
                .isInstanceOf(OutOfMemoryError.class);

        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aMissingDirectoryIsAnErrorThatNamesIt() {
        Path file = folder.resolve("missing").resolve("a");

        assertThatThrownBy(() -> AtomicFiles.writeString(file, "x"))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("missing");
    }

    @Test
    void aDirectoryIsNotReplacedByAFile() throws IOException {
        Path taken = Files.createDirectories(folder.resolve("taken/inner")).getParent();

        assertThatThrownBy(() -> AtomicFiles.writeString(taken, "x"))
                .isInstanceOf(IOException.class);

        assertThat(names()).containsExactly("taken");
    }

    @Test
    void aLinkIsReplacedAndItsTargetKept() throws IOException {
        Path target = Files.writeString(folder.resolve("blob"), "shared");
        Path link = Files.createSymbolicLink(folder.resolve("link"), target);

        AtomicFiles.writeString(link, "own");

        assertThat(link).isRegularFile().hasContent("own");
        assertThat(target).hasContent("shared");
    }

    @Test
    void twoFilesChangeOnlyWhenBothAreWritten() throws IOException {
        Path config = Files.writeString(folder.resolve("config"), "old");
        Path weights = Files.writeString(folder.resolve("weights"), "old");
        Map<Path, AtomicFiles.ChannelWriter> writers = new LinkedHashMap<>();
        writers.put(config, channel -> channel.write(ByteBuffer.wrap(new byte[] {'n'})));
        writers.put(
                weights,
                channel -> {
                    throw new IOException("No space left on device");
                });

        assertThatThrownBy(() -> AtomicFiles.writeTogether(writers)).hasMessageContaining("space");
        assertThat(config).hasContent("old");
        assertThat(weights).hasContent("old");

        writers.put(weights, channel -> channel.write(ByteBuffer.wrap(new byte[] {'n'})));
        AtomicFiles.writeTogether(writers);
        assertThat(config).hasContent("n");
        assertThat(weights).hasContent("n");
        assertThat(names()).containsExactly("config", "weights");
    }

    @Test
    void whatADeadProcessLeftIsSweptAndWhatLivesIsKept() throws IOException {
        Path dead = Files.writeString(folder.resolve(".a.999999999-1.tmp"), "x");
        Path ownForgotten =
                Files.writeString(
                        folder.resolve(".a." + ProcessHandle.current().pid() + "-99999.tmp"), "x");
        long parent = ProcessHandle.current().parent().orElseThrow().pid();
        Path alive = Files.writeString(folder.resolve(".a." + parent + "-1.tmp"), "x");
        Path pidReused = Files.writeString(folder.resolve(".a." + parent + "-2.tmp"), "x");
        Files.setLastModifiedTime(pidReused, FileTime.from(Instant.EPOCH));
        Path other = Files.writeString(folder.resolve(".b.999999999-1.tmp"), "x");
        Path deadDirectory = Files.createDirectory(folder.resolve(".a.999999998-1.tmp"));
        Files.writeString(deadDirectory.resolve("part"), "x");

        AtomicFiles.writeString(folder.resolve("a"), "new");

        assertThat(List.of(alive, other)).allMatch(Files::exists);
        assertThat(List.of(dead, ownForgotten, pidReused, deadDirectory)).noneMatch(Files::exists);
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
