package io.peft4j.tuning;

import ai.djl.engine.Engine;
import io.peft4j.torch.TorchRuntime;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** What changes how sums are rounded, though not what is computed. */
final class TrainingEnvironment {

    private TrainingEnvironment() {}

    static Map<String, String> current() {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("threads", String.valueOf(TorchRuntime.threads()));
        values.put("djl", Engine.getDjlVersion());
        values.put("pytorch", TorchRuntime.version());
        values.put("os", System.getProperty("os.name"));
        values.put("arch", System.getProperty("os.arch"));
        values.put("cpu", cpu());
        return values;
    }

    /** The processor's name where Linux tells it: libraries choose their kernels by it. */
    private static String cpu() {
        // a plain stream, which an interrupted thread can read as well
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream("/proc/cpuinfo"), StandardCharsets.UTF_8))) {
            return lines.lines()
                    .filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse("unknown");
        } catch (IOException e) {
            return "unknown"; // another system, or one that hides it
        }
    }
}
