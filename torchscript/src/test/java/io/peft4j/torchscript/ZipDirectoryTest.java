package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a zip file's fields can claim, and files beyond 4 GB. */
class ZipDirectoryTest {

    private static final long GIB = 1L << 30;

    @TempDir Path temporary;

    private RawZip zip() throws IOException {
        return RawZip.copyOf(PeftGolden.archive("net"));
    }

    private void assertRefused(RawZip zip, String because) throws IOException {
        Path file = zip.write(temporary.resolve("raw.pt"));
        assertThatThrownBy(() -> TorchScriptArchive.open(file))
                .isInstanceOf(TorchScriptException.class)
                .hasMessageContaining("raw.pt: ")
                .hasMessageContaining(because)
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    @Test
    void theUnspoiledFileIsRead() throws IOException {
        Path file = zip().write(temporary.resolve("raw.pt"));
        try (TorchScriptArchive archive = TorchScriptArchive.open(file);
                TorchScriptArchive original = TorchScriptArchive.open(PeftGolden.archive("net"))) {
            assertThat(archive.weights()).isEqualTo(original.weights());
        }
    }

    /** Their sum is below zero, and what is copied but not read would fill the disk. */
    @Test
    void sizesWhoseSumOverflowsAreABomb() throws IOException {
        RawZip zip = zip();
        zip.add("archive/extra/a", new byte[100], true);
        zip.add("archive/extra/b", new byte[100], true).size = Long.MAX_VALUE - 50;
        assertRefused(zip, "would unpack to more than");
    }

    @Test
    void sizesBelowZeroAreRefused() throws IOException {
        RawZip packed = zip();
        packed.add("archive/code/a.py", new byte[100], true).packedSize = -5;
        assertRefused(packed, "record archive/code/a.py has a size or place below zero");
        RawZip unpacked = zip();
        unpacked.add("archive/code/a.py", new byte[100], true).size = -1;
        assertRefused(unpacked, "record archive/code/a.py has a size or place below zero");
    }

    @Test
    void aLocalHeaderOfAnotherNameIsRefused() throws IOException {
        RawZip zip = zip();
        zip.get("archive/data.pkl").localName = "archive/code.pkl";
        assertRefused(zip, "record archive/data.pkl is not where the directory says");
    }

    @Test
    void aRecordThatReachesIntoTheNextIsRefused() throws IOException {
        RawZip zip = zip();
        RawZip.Record record = zip.get("archive/data.pkl");
        zip.add("archive/last", new byte[10], false).place = 40;
        assertThat(record.packed.length).isGreaterThan(100);
        assertRefused(zip, "is not where the directory says");
    }

    @Test
    void aStoredRecordWithTwoSizesIsRefused() throws IOException {
        RawZip zip = zip();
        zip.get("archive/data.pkl").size += 1;
        assertRefused(zip, "has two sizes");
    }

    @Test
    void aNameWithControlCharactersIsRefusedInOneLine() throws IOException {
        RawZip zip = zip();
        zip.add("archive/a\nb", new byte[1], false);
        assertRefused(zip, "record name \"archive/a?b\" has control characters");
    }

    @Test
    void twoRecordsOfOneNameAreRefused() throws IOException {
        RawZip zip = zip();
        zip.add("archive/data.pkl", new byte[1], false);
        assertRefused(zip, "two records are named archive/data.pkl");
    }

    /** The last weight lies behind 5 GiB that are a hole of the file. */
    @Test
    void recordsBeyondFourGibibytesAreFound() throws IOException {
        RawZip zip = zip();
        RawZip.Record last = zip.add("archive/last", "the end".getBytes(), false);
        last.place = 5 * GIB;
        Path file = zip.write(temporary.resolve("far.pt"));
        try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
            assertThat(archive.zip().read("last", 10)).asString().isEqualTo("the end");
            assertThat(archive.weights()).isNotEmpty();
        }
    }

    /** A storage of 5 GiB whose weight has (5·2²⁸, 1) elements of four bytes. */
    @Test
    void aStorageBeyondFourGibibytesIsDescribed() throws IOException {
        PickleText pickle = new PickleText();
        String net = pickle.module("__torch__.Net");
        RawZip zip = new RawZip();
        byte[] code =
                ("class Net(Module):\n  __parameters__ = [\"weight\", ]\n  weight : Tensor\n"
                                + "  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n"
                                + "    weight = self.weight\n    return torch.linear(x, weight)\n")
                        .getBytes();
        zip.add("archive/code/__torch__.py", code, false);
        String weight = pickle.tensor("0", 5 * (GIB / 4), new long[] {5 * (GIB / 4), 1});
        zip.add("archive/data.pkl", pickle.of(net, "weight", weight), false);
        zip.add("archive/constants.pkl", new PickleText().emptyTuple(), false);
        RawZip.Record record = zip.add("archive/data/0", new byte[0], false);
        record.size = 5 * GIB;
        record.packedSize = 5 * GIB;
        Path file = zip.write(temporary.resolve("large.pt"));
        assertThat(Files.size(file)).isGreaterThan(5 * GIB);
        try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
            assertThat(archive.weights().get(0).shape()).isEqualTo(new Shape(5 * (GIB / 4), 1));
        }
    }

    /** What is written has ZIP64 fields where they are needed, and every record is aligned. */
    @Test
    void recordsBeyondFourGibibytesAreWritten() throws IOException {
        Path file = temporary.resolve("written.pt");
        long size = 4 * GIB + 12;
        byte[] chunk = new byte[1 << 20];
        CRC32 crc = new CRC32();
        for (long left = size; left > 0; left -= chunk.length) {
            crc.update(chunk, 0, (int) Math.min(left, chunk.length));
        }
        try (FileChannel channel =
                        FileChannel.open(
                                file,
                                StandardOpenOption.CREATE_NEW,
                                StandardOpenOption.SPARSE,
                                StandardOpenOption.WRITE);
                RecordWriter writer = new RecordWriter("archive", new Holes(channel))) {
            writer.put("first", new byte[] {1});
            writer.put(
                    "large",
                    size,
                    crc.getValue(),
                    target -> {
                        for (long left = size; left > 0; left -= chunk.length) {
                            target.write(chunk, 0, (int) Math.min(left, chunk.length));
                        }
                    });
            writer.put("last", new byte[] {2});
        }
        try (ZipRecords zip = ZipRecords.open(file)) {
            assertThat(zip.entries().keySet()).containsExactly("first", "large", "last");
            assertThat(zip.entries().get("large").size()).isEqualTo(size);
            assertThat(zip.entries().values()).allMatch(entry -> entry.start() % 64 == 0);
            assertThat(zip.read("last", 1)).containsExactly(2);
        }
    }

    /** Leaves out zeros, so that the file takes no room. */
    private static final class Holes extends OutputStream {

        private static final byte[] ZEROS = new byte[1 << 20];

        private final FileChannel channel;
        private long position;

        Holes(FileChannel channel) {
            this.channel = channel;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            boolean hole =
                    length <= ZEROS.length
                            && Arrays.equals(bytes, from, from + length, ZEROS, 0, length);
            if (!hole || length < 100) {
                channel.write(ByteBuffer.wrap(bytes, from, length), position);
            }
            position += length;
        }
    }
}
