package io.peft4j.files;

import java.io.IOException;
import java.nio.file.Path;

/** A name from a file or a network that would leave the folder it belongs to. */
public final class UnsafePathException extends IOException {

    private static final long serialVersionUID = 1L;

    UnsafePathException(Path root, String name, String problem) {
        super(
                "refused the name \""
                        + printable(name)
                        + "\" below "
                        + root
                        + ": expected a relative path inside that folder, found "
                        + problem);
    }

    private static String printable(String name) {
        StringBuilder text = new StringBuilder();
        name.codePoints()
                .limit(200)
                .forEach(c -> text.appendCodePoint(Character.isISOControl(c) ? '?' : c));
        return text.toString();
    }
}
