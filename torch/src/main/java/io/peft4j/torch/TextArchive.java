package io.peft4j.torch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes the smallest TorchScript archive that holds one class made of text. */
final class TextArchive {

    /** libtorch wants the type of {@code self}; the author of a text leaves it out. */
    private static final Pattern SELF = Pattern.compile("(def \\w+\\(self)");

    /**
     * {@code __torch__.Text()} with the one attribute {@code training = True}, in pickle protocol
     * 2: GLOBAL, EMPTY_TUPLE, NEWOBJ, EMPTY_DICT, MARK, a string, NEWTRUE, SETITEMS, BUILD, STOP.
     */
    private static final String OBJECT =
            "\u0080\u0002c__torch__\nText\nq\0)\u0081}(X\u0008\0\0\0trainingq\u0001\u0088ubq\u0002.";

    private static final String NO_CONSTANTS = "\u0080\u0002).";

    private TextArchive() {}

    static byte[] of(String methods) {
        String code =
                "class Text(Module):\n"
                        + "  __parameters__ = []\n"
                        + "  __buffers__ = []\n"
                        + "  training : bool\n"
                        + SELF.matcher(methods).replaceAll("$1: __torch__.Text");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            put(zip, "text/data.pkl", OBJECT.getBytes(StandardCharsets.ISO_8859_1));
            put(zip, "text/code/__torch__.py", code.getBytes(StandardCharsets.UTF_8));
            put(zip, "text/constants.pkl", NO_CONSTANTS.getBytes(StandardCharsets.ISO_8859_1));
            put(zip, "text/version", "3\n".getBytes(StandardCharsets.US_ASCII));
            put(zip, "text/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return bytes.toByteArray();
    }

    /** libtorch reads stored entries only. */
    private static void put(ZipOutputStream zip, String name, byte[] content) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(content);
        ZipEntry entry = new ZipEntry(name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCompressedSize(content.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }
}
