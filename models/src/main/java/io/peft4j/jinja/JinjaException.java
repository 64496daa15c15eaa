package io.peft4j.jinja;

/** A template cannot be read, cannot be rendered, or refuses what it is given. */
public final class JinjaException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final String reason;
    private final int line;

    JinjaException(String reason) {
        this(reason, 0);
    }

    JinjaException(String reason, int line) {
        super(line == 0 ? reason : "line " + line + ": " + reason);
        this.reason = reason;
        this.line = line;
    }

    /** The same with a line, unless it has one: the innermost statement is the one to blame. */
    JinjaException at(int where) {
        return line > 0 ? this : new JinjaException(reason, where);
    }

    /**
     * Returns what went wrong.
     *
     * @return the message without the line
     */
    public String reason() {
        return reason;
    }

    /**
     * Returns where it went wrong.
     *
     * @return the line of the statement in the template, from 1
     */
    public int line() {
        return line;
    }
}
