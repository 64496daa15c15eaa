package io.peft4j.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** A file written and forced beside its target; {@link #commit} renames it, close removes it. */
final class StagedFile implements AutoCloseable {

    private final Path target;
    private final Path temporary;

    private StagedFile(Path target, Path temporary) {
        this.target = target;
        this.temporary = temporary;
    }

    static StagedFile write(Path target, AtomicFiles.ChannelWriter writer) throws IOException {
        TemporaryNames.sweep(target);
        Path temporary = TemporaryNames.claim(target);
        StagedFile staged = null;
        try {
            try (FileChannel channel =
                    FileChannel.open(
                            temporary,
                            StandardOpenOption.CREATE_NEW,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE)) {
                writer.write(channel);
                channel.force(true);
            }
            staged = new StagedFile(target, temporary);
            return staged;
        } finally {
            if (staged == null) {
                discard(temporary);
            }
        }
    }

    void commit() throws IOException {
        Files.move(
                temporary,
                target,
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
        Durability.forceDirectory(TemporaryNames.parent(target));
    }

    @Override
    public void close() throws IOException {
        discard(temporary);
    }

    private static void discard(Path temporary) throws IOException {
        try {
            Files.deleteIfExists(temporary);
        } finally {
            TemporaryNames.release(temporary);
        }
    }
}
