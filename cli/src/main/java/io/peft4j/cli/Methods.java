package io.peft4j.cli;

import java.util.List;

/** Reads {@code --method} and {@code --methods}. */
final class Methods {

    static final String FULL = "full";
    static final String IA3 = "ia3";

    /** What train takes. */
    static final List<String> TRAINED = List.of("lora", "dora", IA3, FULL);

    /** What compare takes. */
    static final List<String> COMPARED = List.of("lora", "dora", FULL);

    private Methods() {}

    /**
     * Checks a flag's value.
     *
     * @param known the methods that the flag takes
     */
    static void check(String flag, String method, List<String> known) {
        if (!known.contains(method)) {
            throw new UsageException(
                    flag
                            + " must be of "
                            + String.join(", ", known)
                            + ", but is \""
                            + method
                            + "\"");
        }
    }
}
