package io.peft4j.torchscript;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Runs the recorded inputs; with JAZZER_FUZZ=1, -Djazzer.hooks=true and one method chosen it
 * searches for new ones.
 */
class ArchiveFuzzTest {

    @FuzzTest
    void anyPickleIsReadOrRefusedTyped(byte[] data) {
        try {
            PickleReader.read("fuzz", data);
        } catch (TorchScriptException e) {
            requireOneLine(e);
        }
    }

    @FuzzTest
    void anyFileIsOpenedOrRefusedTyped(byte[] data) throws IOException {
        open(data);
    }

    /** Behind the checksums, which a search does not guess: a pickle and the code of an archive. */
    @FuzzTest
    void anyContentIsListedOrRefusedTyped(byte[] data) throws IOException {
        int end = 0;
        while (end < data.length && data[end] != 0) {
            end++;
        }
        String code = new String(data, 0, end, StandardCharsets.UTF_8);
        byte[] pickle = new byte[Math.max(0, data.length - end - 1)];
        System.arraycopy(data, data.length - pickle.length, pickle, 0, pickle.length);
        ByteArrayOutputStream zip = new ByteArrayOutputStream();
        try (RecordWriter writer = new RecordWriter("archive", zip)) {
            writer.put("code/__torch__.py", code.getBytes(StandardCharsets.UTF_8));
            writer.put("data.pkl", pickle);
            writer.put("constants.pkl", new PickleText().emptyTuple());
            writer.put("data/0", new byte[16]);
        }
        open(zip.toByteArray());
    }

    private static void open(byte[] data) throws IOException {
        Path file = Files.createTempFile("fuzz", ".pt");
        try {
            Files.write(file, data);
            try (TorchScriptArchive archive = TorchScriptArchive.open(file)) {
                for (TorchScriptWeight weight : archive.weights()) {
                    if (weight.path().isEmpty()) {
                        throw new AssertionError("a weight without a path");
                    }
                }
                Surgery.plan(archive).write(OutputStream.nullOutputStream());
            }
        } catch (TorchScriptException e) {
            requireOneLine(e);
        } finally {
            Files.delete(file);
        }
    }

    private static void requireOneLine(TorchScriptException e) {
        if (String.valueOf(e.getMessage()).contains("\n")) {
            throw new AssertionError("more than one line: " + e.getMessage());
        }
    }
}
