package io.peft4j.jinja;

/**
 * A piece of a template.
 *
 * @param kind what it is
 * @param text its text, decoded if it is a string
 * @param line where it begins, from 1
 */
record Token(Kind kind, String text, int line) {

    enum Kind {
        TEXT,
        OUTPUT_BEGIN,
        OUTPUT_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind expected, String... texts) {
        if (kind != expected) {
            return false;
        }
        for (String candidate : texts) {
            if (text.equals(candidate)) {
                return true;
            }
        }
        return texts.length == 0;
    }
}
