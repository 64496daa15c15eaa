package io.peft4j.cli;

import java.util.List;

/** Reads {@code --method} and {@code --methods}. */
final class Methods {

    static final String FULL = "full";
    static final String IA3 = "ia3";

    /** Those that have a rank, which compare varies. */
    static final List<String> ADAPTERS = List.of("lora", "dora");

    private static final List<String> TRAINED = List.of("lora", "dora", IA3, FULL);

    private Methods() {}

    /**
     * Checks a flag's value.
     *
     * @param training whether the flag is train's, which takes methods without a rank too
     */
    static void check(String flag, String method, boolean training) {
        if (!(training ? TRAINED : ADAPTERS).contains(method)) {
            throw new UsageException(
                    flag
                            + " must be "
                            + (training ? "lora, dora, ia3 or full" : "lora or dora")
                            + ", but is \""
                            + method
                            + "\"");
        }
    }
}
