package io.peft4j.serving;

/**
 * What a server makes of something in an adapter.
 *
 * @param outcome what becomes of it
 * @param text what and why, in a clause
 */
public record ServerFinding(Outcome outcome, String text) {

    /** What becomes of it. */
    public enum Outcome {
        /** The server does not load the adapter. */
        REFUSED,
        /** The server loads the adapter and computes something else, without a word. */
        WRONG,
        /** The server does right if it is started so. */
        NEEDS
    }

    static ServerFinding refused(String text) {
        return new ServerFinding(Outcome.REFUSED, text);
    }

    static ServerFinding wrong(String text) {
        return new ServerFinding(Outcome.WRONG, text);
    }

    static ServerFinding needs(String text) {
        return new ServerFinding(Outcome.NEEDS, text);
    }
}
