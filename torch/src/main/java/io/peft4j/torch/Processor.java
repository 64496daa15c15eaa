package io.peft4j.torch;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** The processor that this process runs on, by which libraries choose their kernels. */
public final class Processor {

    private static final Map<String, String> FACTS = facts();

    private Processor() {}

    /**
     * Returns the processor's name.
     *
     * @return the name, or {@code unknown} where the system hides it
     */
    public static String name() {
        return FACTS.getOrDefault("model name", "unknown");
    }

    /**
     * Tells whether the processor is AMD's.
     *
     * @return whether it is, as far as the system says
     */
    public static boolean isAmd() {
        String windows = System.getenv("PROCESSOR_IDENTIFIER");
        return FACTS.getOrDefault("vendor_id", windows == null ? "" : windows).contains("AMD");
    }

    /** What Linux tells of the first processor; nothing elsewhere. */
    private static Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        // a plain stream, which an interrupted thread can read as well
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream("/proc/cpuinfo"), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int colon = line.indexOf(':');
                if (colon > 0) {
                    facts.putIfAbsent(
                            line.substring(0, colon).strip(), line.substring(colon + 1).strip());
                }
            }
        } catch (IOException e) {
            facts.clear(); // another system, or one that hides it
        }
        return facts;
    }
}
