package io.peft4j.torchscript;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** The code of an archive: its records below {@code code/}, checked before libtorch sees them. */
final class ArchiveCode {

    private static final int MAX_RECORD = 32 << 20;
    private static final long MAX_TOTAL = 128L << 20;

    private final Map<String, String> records = new LinkedHashMap<>();
    private final Map<String, Map<String, ClassText>> classes = new HashMap<>();

    private ArchiveCode() {}

    static ArchiveCode read(ZipRecords zip) throws IOException {
        ArchiveCode code = new ArchiveCode();
        long total = 0;
        for (String name : zip.entries().keySet()) {
            if (name.startsWith("code/") && name.endsWith(".py")) {
                String text = zip.text(name, MAX_RECORD);
                total += text.length();
                if (total > MAX_TOTAL) {
                    throw new TorchScriptException(
                            zip.file() + ": more than " + MAX_TOTAL + " bytes of code");
                }
                if (CodeNesting.isTooDeep(text)) {
                    throw new TorchScriptException(
                            zip.file()
                                    + ": "
                                    + name
                                    + " nests expressions more than "
                                    + CodeNesting.MAX_DEPTH
                                    + " deep, which torch.jit never writes");
                }
                code.records.put(name, text);
            }
        }
        if (CodeReferences.deepest(code.records) > CodeReferences.MAX_DEPTH) {
            throw new TorchScriptException(
                    zip.file()
                            + ": its classes and functions refer to each other more than "
                            + CodeReferences.MAX_DEPTH
                            + " deep, which no model does");
        }
        return code;
    }

    ClassText of(PickledObject object) throws TorchScriptException {
        String record = ClassText.recordOf(object.className());
        String text = records.get(record);
        if (text == null) {
            throw new TorchScriptException(
                    "there is no record " + record + ", though an object's class lies there");
        }
        ClassText found =
                classes.computeIfAbsent(record, name -> ClassText.all(name, text))
                        .get(object.simpleName());
        if (found == null) {
            throw new TorchScriptException(
                    "there is no class "
                            + object.simpleName()
                            + " in "
                            + record
                            + ", though an object is one");
        }
        return found;
    }

    Map<String, String> records() {
        return records;
    }
}
