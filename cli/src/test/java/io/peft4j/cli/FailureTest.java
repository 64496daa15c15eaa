package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.EngineException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

final class FailureTest {

    @Test
    void aMissingFileIsNamed() {
        assertThat(Failure.line(new NoSuchFileException("a/b")))
                .isEqualTo("no such file or directory: a/b");
    }

    @Test
    void aReasonIsKept() {
        assertThat(Failure.line(new NoSuchFileException("a", null, "it has no config")))
                .isEqualTo("no such file or directory: a: it has no config");
        assertThat(Failure.line(new AccessDeniedException("a"))).isEqualTo("permission denied: a");
    }

    @Test
    void aFullDiskIsSaidWithTheFile() {
        Exception full = new FileSystemException("out/x", null, "No space left on device");
        assertThat(Failure.line(new UncheckedIOException((IOException) full)))
                .isEqualTo("out/x: No space left on device");
        assertThat(Failure.exitCode(full)).isEqualTo(1);
    }

    @Test
    void manyLinesBecomeOne() {
        assertThat(Failure.line(new IOException("missing:\n  a\r\n  b\n")))
                .isEqualTo("missing: a b");
    }

    @Test
    void controlCharactersAndHugeTextsAreTamed() {
        assertThat(Failure.line(new IOException("a\u001b[31mb\u0000c"))).isEqualTo("a?[31mb?c");
        assertThat(Failure.line(new IOException("x".repeat(100_000)))).hasSizeLessThan(5000);
    }

    @Test
    void aNativeErrorLosesItsTrace() {
        assertThat(
                        Failure.line(
                                new EngineException(
                                        "shape mismatch\nException raised from x at y.cpp:1\n")))
                .isEqualTo("shape mismatch");
    }

    @Test
    void outOfMemoryTellsWhatHelps() {
        assertThat(Failure.line(new OutOfMemoryError("Java heap space")))
                .isEqualTo(
                        "out of memory (Java heap space); a smaller --batch-size or --max-length"
                                + " needs less");
        assertThat(
                        Failure.line(
                                new EngineException(
                                        "DefaultCPUAllocator: can't allocate memory: you tried\n")))
                .startsWith("out of memory");
        assertThat(Failure.exitCode(new OutOfMemoryError("Java heap space"))).isEqualTo(1);
    }

    @Test
    void anInterruptHasTheShellsCode() {
        assertThat(Failure.exitCode(new ExecutionException(new InterruptedException())))
                .isEqualTo(130);
        assertThat(Failure.exitCode(new ClosedByInterruptException())).isEqualTo(130);
    }

    @Test
    void aMistakeOfOursSaysSo() {
        assertThat(Failure.line(new NullPointerException()))
                .isEqualTo("internal error: NullPointerException; --verbose shows where");
    }
}
