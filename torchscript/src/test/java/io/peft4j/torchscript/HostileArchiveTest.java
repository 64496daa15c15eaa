package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each abuse is one exception of one line; nothing is written and the process lives. */
class HostileArchiveTest {

    @TempDir Path temporary;

    private EditedArchive archive;
    private Path file;

    @BeforeEach
    void copy() throws IOException {
        archive = new EditedArchive(PeftGolden.archive("net"));
        file = temporary.resolve("hostile.pt");
    }

    private void assertRefused(String because) throws IOException {
        long written = Files.list(temporary).count();
        try (NDManager manager = NDManager.newBaseManager()) {
            assertThatThrownBy(() -> TorchScriptBlock.load(file, manager))
                    .isInstanceOf(TorchScriptException.class)
                    .hasMessageContaining("hostile.pt: ")
                    .hasMessageContaining(because)
                    .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
        }
        assertThat(Files.list(temporary).count()).isEqualTo(written);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void theCopyItselfLoads() throws IOException {
        try (TorchScriptArchive opened = TorchScriptArchive.open(archive.write(file))) {
            assertThat(opened.weights()).isNotEmpty();
        }
    }

    @Test
    void aZipBombIsRefusedUnread() throws IOException {
        archive.put("code/bomb.py", new byte[300 << 20]).writeCompressed(file, "code/bomb.py");
        assertThat(Files.size(file)).isLessThan(1 << 20);
        assertRefused("would unpack to more than");
    }

    @Test
    void aRecordThatUnpacksToMoreThanItSaysIsRefused() throws IOException {
        archive.put("code/bomb.py", new byte[1 << 20]).writeCompressed(file, "code/bomb.py");
        byte[] whole = Files.readAllBytes(file);
        ByteBuffer buffer = ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = whole.length - 26; at > 0; at--) {
            if (buffer.getInt(at) == 0x02014b50 && buffer.getInt(at + 24) == 1 << 20) {
                buffer.putInt(at + 24, 1000);
            }
        }
        Files.write(file, whole);
        assertRefused("is damaged");
    }

    @Test
    void aCompressedTensorIsRefused() throws IOException {
        archive.writeCompressed(file, "data/0");
        assertRefused("tensor archive/data/0 is compressed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../outside", "a/../../outside", "a\\outside", "code/../../x"})
    void namesThatLeadOutAreRefused(String name) throws IOException {
        archive.put(name, new byte[1]).write(file);
        assertRefused("would lead out of the archive");
    }

    @Test
    void aFileThatIsNoZipIsRefused() throws IOException {
        Files.write(file, new byte[1000]);
        assertRefused("no zip file");
        Files.write(file, new byte[0]);
        assertRefused("no zip file");
    }

    @Test
    void aZipWithoutAProgramIsRefused() throws IOException {
        archive.remove("constants.pkl").write(file);
        assertRefused("there is no program in it");
    }

    @Test
    void everyCutOfTheFileIsRefused() throws IOException {
        byte[] whole = Files.readAllBytes(archive.write(file));
        for (int length = whole.length - 1; length > 0; length -= 997) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> TorchScriptArchive.open(file))
                    .isInstanceOf(TorchScriptException.class);
        }
    }

    @Test
    void damagedBytesAreExceptionsAndNothingElse() throws IOException {
        byte[] whole = Files.readAllBytes(archive.write(file));
        Random random = new Random(5);
        for (int i = 0; i < 300; i++) {
            byte[] damaged = whole.clone();
            for (int j = 0; j < 3; j++) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            Files.write(file, damaged);
            try (TorchScriptArchive opened = TorchScriptArchive.open(file)) {
                assertThat(opened.weights()).isNotNull(); // padding or an unread record
            } catch (TorchScriptException e) {
                assertThat(e.getMessage()).contains("hostile.pt");
            }
        }
    }

    /** Behind the checksums: the pickle itself is damaged. */
    @Test
    void damagedPicklesAreExceptionsAndNothingElse() throws IOException {
        Random random = new Random(6);
        byte[] pickle = new byte[1];
        try (TorchScriptArchive opened = TorchScriptArchive.open(PeftGolden.archive("net"))) {
            pickle = opened.pickle();
        }
        for (int i = 0; i < 2000; i++) {
            byte[] damaged = pickle.clone();
            for (int j = 0; j < 2; j++) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            try {
                PickleReader.read("damaged", damaged);
            } catch (TorchScriptException e) {
                assertThat(e.getMessage()).startsWith("damaged");
            }
        }
    }

    @Test
    void aPickleThatWouldRunACommandIsRefused() throws IOException {
        archive.put("data.pkl", bytes("\u0080\u0002cos\nsystem\nX\u0004\0\0\0true\u0085R."));
        archive.write(file);
        assertRefused("the name os.system, which TorchScript never uses");
    }

    @ParameterizedTest
    @ValueSource(strings = {"i", "o", "\u0093", "\u0082", "S'x'\n", "I1\n", "P1\n", "\u0092", "V"})
    void opcodesThatTorchScriptNeverWritesAreRefused(String opcode) throws IOException {
        archive.put("data.pkl", bytes("\u0080\u0002" + opcode + ".")).write(file);
        assertRefused("which TorchScript never writes");
    }

    @Test
    void anotherProtocolIsRefused() throws IOException {
        archive.put("data.pkl", bytes("\u0080\u0004N.")).write(file);
        assertRefused("protocol 4");
    }

    @Test
    void nestingThatWouldEndLibtorchIsRefused() throws IOException {
        archive.put("data.pkl", bytes("\u0080\u0002N" + "\u0085".repeat(100_000) + "."));
        archive.write(file);
        assertRefused("nested more than 200 deep");
    }

    /** Each list is filled after it was put into the one before. */
    @Test
    void nestingThatGrowsFromWithinIsRefusedToo() throws IOException {
        StringBuilder pickle = new StringBuilder("\u0080\u0002]q\0");
        for (int i = 0; i < 250; i++) {
            char last = (char) i;
            char next = (char) (i + 1);
            pickle.append("h").append(last).append("]q").append(next).append("a");
        }
        // a list stays on the stack for each step; a tuple takes them all
        String lists = pickle.toString();
        archive.put("data.pkl", bytes(lists.replaceFirst("]q", "(]q") + "t.")).write(file);
        assertRefused("nested more than 200 deep");
    }

    @Test
    void codeThatWouldEndLibtorchsParserIsRefused() throws IOException {
        String deep = "(".repeat(5000) + "x" + ")".repeat(5000);
        archive.put("code/__torch__/deep.py", bytes("def f(x: Tensor):\n  return " + deep + "\n"));
        archive.write(file);
        assertRefused("nests expressions");
    }

    @Test
    void aChainOfMinusesIsNestingToo() throws IOException {
        String deep = "-".repeat(5000) + "x";
        archive.put("code/__torch__/deep.py", bytes("def f(x: Tensor):\n  return " + deep + "\n"));
        archive.write(file);
        assertRefused("nests expressions");
    }

    @Test
    void aShortTensorIsRefused() throws IOException {
        archive.bytes("data/0", content -> Arrays.copyOf(content, content.length - 4)).write(file);
        assertRefused("storage data/0 of ");
    }

    @Test
    void aMissingTensorIsRefused() throws IOException {
        archive.remove("data/0").write(file);
        assertRefused("has no record");
    }

    /** The sizes (11, 8) of the embedding become (255, 8), in a storage of 88 elements. */
    @Test
    void aViewThatReachesOutOfItsStorageIsRefused() throws IOException {
        archive.replace("data.pkl", "(K\u000bK\u0008t", "(K\u00ffK\u0008t").write(file);
        assertRefused("reaches out of its storage");
    }

    @Test
    void aStorageOfMoreElementsThanItsRecordHasIsRefused() throws IOException {
        archive.replace("data.pkl", "KX", "K\u00ff").write(file);
        assertRefused("has a record of 352 bytes");
    }

    @Test
    void anObjectWithoutAClassIsRefused() throws IOException {
        archive.remove("code/__torch__.py").write(file);
        assertRefused("there is no record code/__torch__.py");
    }

    @Test
    void codeThatLibtorchRefusesIsOneLine() throws IOException {
        archive.replace("code/__torch__.py", "torch.mean(", "torch.no_such_thing(").write(file);
        assertRefused("libtorch refuses it");
    }

    @Test
    void anObjectThatHoldsItselfIsRefused() throws IOException {
        // Net { me: Net } by its memo number
        String self = "\u0080\u0002c__torch__\nNet\n)\u0081q\u0000}(X\u0002\0\0\0meh\u0000ub.";
        archive.put("data.pkl", bytes(self)).write(file);
        assertRefused("nested more than 200 deep");
    }

    @Test
    void recordsThatShareBytesAreRefused() throws IOException {
        byte[] whole = Files.readAllBytes(archive.write(file));
        // the second entry of the directory points at the first's header, under its name
        int end = whole.length - 22;
        ByteBuffer buffer = ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN);
        int directory = buffer.getInt(end + 16);
        int first = 46 + buffer.getShort(directory + 28) + buffer.getShort(directory + 30);
        ByteArrayOutputStream twice = new ByteArrayOutputStream();
        twice.write(whole, 0, directory + first);
        twice.write(whole, directory, whole.length - directory);
        ByteBuffer grown = ByteBuffer.wrap(twice.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
        int tail = grown.capacity() - 22;
        grown.putShort(tail + 8, (short) (buffer.getShort(end + 8) + 1));
        grown.putShort(tail + 10, (short) (buffer.getShort(end + 10) + 1));
        grown.putInt(tail + 12, buffer.getInt(end + 12) + first);
        Files.write(file, grown.array());
        assertRefused("two records are named");
    }

    @Test
    void whatIsFrozenIsSaidToBe() throws IOException {
        Files.copy(PeftGolden.archive("net_frozen"), file);
        assertRefused("are constants in its code, as torch.jit.freeze makes them");
    }

    @Test
    void whatIsQuantisedIsSaidToBe() throws IOException {
        Files.copy(PeftGolden.archive("quantised"), file);
        assertRefused("module 0 is quantised");
    }

    @Test
    void readingLeavesNoTemporaryFiles() throws IOException {
        Path place = Path.of(System.getProperty("java.io.tmpdir"));
        try (Stream<Path> before = Files.list(place)) {
            long count = before.filter(HostileArchiveTest::isOurs).count();
            archive.replace("code/__torch__.py", "torch.mean(", "torch.no_such_thing(");
            archive.write(file);
            assertRefused("libtorch refuses it");
            try (Stream<Path> after = Files.list(place)) {
                assertThat(after.filter(HostileArchiveTest::isOurs).count()).isEqualTo(count);
            }
        }
    }

    private static boolean isOurs(Path path) {
        return path.getFileName().toString().startsWith("peft4j-archive");
    }
}
