package io.peft4j.cli.compare;

/** Words as a shell takes them. */
public final class ShellWord {

    private ShellWord() {}

    /**
     * Quotes a word where that is needed.
     *
     * @param text the word
     * @return the same, in quotes if it has anything in it that a shell reads otherwise
     */
    public static String of(String text) {
        return text.matches("[A-Za-z0-9_@%+=:,./-]+")
                ? text
                : "'" + text.replace("'", "'\\''") + "'";
    }
}
