package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InterruptionsTest {

    @TempDir Path directory;

    @AfterEach
    void clear() {
        Thread.interrupted();
    }

    private void write(String text) throws IOException {
        try (FileChannel channel =
                FileChannel.open(
                        directory.resolve("file"),
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(text.getBytes()));
        }
    }

    @Test
    void anInterruptedThreadCannotWriteByItself() {
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> write("lost")).isInstanceOf(ClosedByInterruptException.class);
    }

    @Test
    void anInterruptFromBeforeIsHeldUntilTheFileIsWritten() throws IOException {
        Thread.currentThread().interrupt();
        Interruptions.hold(() -> write("kept"));
        assertThat(Thread.interrupted()).isTrue();
        assertThat(Files.readString(directory.resolve("file"))).isEqualTo("kept");
    }

    @Test
    void anInterruptInBetweenWritesAgain() throws IOException {
        int[] attempts = {0};
        Interruptions.hold(
                () -> {
                    if (attempts[0]++ == 0) {
                        Thread.currentThread().interrupt();
                    }
                    write("kept");
                });
        assertThat(attempts[0]).isEqualTo(2);
        assertThat(Thread.interrupted()).isTrue();
        assertThat(Files.readString(directory.resolve("file"))).isEqualTo("kept");
    }

    @Test
    void withoutAnInterruptThereIsNone() throws IOException {
        Interruptions.hold(() -> write("kept"));
        assertThat(Thread.interrupted()).isFalse();
    }
}
