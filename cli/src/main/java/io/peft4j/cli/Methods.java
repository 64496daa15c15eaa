package io.peft4j.cli;

import java.util.List;

/** Reads {@code --method} and {@code --methods}. */
final class Methods {

    static final String FULL = "full";
    static final List<String> ADAPTERS = List.of("lora", "dora");

    private Methods() {}

    static void check(String flag, String method, boolean fullAllowed) {
        if (!ADAPTERS.contains(method) && !(fullAllowed && method.equals(FULL))) {
            throw new UsageException(
                    flag
                            + " must be "
                            + (fullAllowed ? "lora, dora or full" : "lora or dora")
                            + ", but is \""
                            + method
                            + "\"");
        }
    }
}
