package io.peft4j.torchscript;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** The code of an archive: its records below {@code code/}, checked before libtorch sees them. */
final class ArchiveCode {

    private static final int MAX_RECORD = 32 << 20;
    private static final long MAX_TOTAL = 128L << 20;

    /** libtorch's parser and compiler recurse, and their stack ends the process. */
    private static final int MAX_DEPTH = 100;

    private static final Pattern PREFIXES = Pattern.compile("(?:(?:\\bnot\\b|[-~])\\s*){40}");
    private static final Pattern RIGHT_TO_LEFT = Pattern.compile("\\belse\\b|\\*\\*");

    private final Map<String, String> records = new LinkedHashMap<>();
    private final Map<String, ClassText> classes = new HashMap<>();

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
                requireShallow(zip, name, text);
                code.records.put(name, text);
            }
        }
        return code;
    }

    private static void requireShallow(ZipRecords zip, String name, String text)
            throws TorchScriptException {
        int depth = 0;
        for (String line : text.split("\n", -1)) {
            boolean deep = line.length() - line.stripLeading().length() > 2 * MAX_DEPTH;
            for (int i = 0; i < line.length(); i++) {
                char c = line.charAt(i);
                depth += c == '(' || c == '[' || c == '{' ? 1 : 0;
                depth -= (c == ')' || c == ']' || c == '}') && depth > 0 ? 1 : 0;
                deep |= depth > MAX_DEPTH;
            }
            boolean chained =
                    PREFIXES.matcher(line).find()
                            || RIGHT_TO_LEFT.matcher(line).results().count() > MAX_DEPTH;
            if (deep || chained) {
                throw new TorchScriptException(
                        zip.file()
                                + ": "
                                + name
                                + " nests expressions more than "
                                + MAX_DEPTH
                                + " deep, which torch.jit never writes");
            }
        }
    }

    ClassText of(PickledObject object) throws TorchScriptException {
        ClassText known = classes.get(object.className());
        if (known != null) {
            return known;
        }
        String record = ClassText.recordOf(object.className());
        String text = records.get(record);
        if (text == null) {
            throw new TorchScriptException(
                    "there is no record " + record + ", though an object's class lies there");
        }
        ClassText found = ClassText.find(record, text, object.className());
        classes.put(object.className(), found);
        return found;
    }

    Map<String, String> records() {
        return records;
    }
}
