package io.peft4j.benchmarks;

import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The figures as a Markdown table for people and as JSON for programs. */
final class Report {

    private Report() {}

    static String header() {
        return """
               | workload | s/step, ours | PEFT | ratio | CPU s, ratio | peak MB, ours | foretold | PEFT | ratio | GEMM share |
               |---|---|---|---|---|---|---|---|---|---|""";
    }

    static String row(Comparison result) {
        double ours = Comparison.median(result.ours(), Measurement::medianSeconds);
        double peak = Comparison.median(result.ours(), Measurement::stepPeakMb);
        double foretold = Comparison.median(result.ours(), Measurement::foretoldMb);
        String share = String.format(Locale.ROOT, "%.0f %%", 100 * result.gemmSeconds() / ours);
        if (result.peer().isEmpty()) {
            return String.format(
                    Locale.ROOT,
                    "| %s | %.2f | | | | %.0f | %.0f | | | %s |",
                    result.workload(),
                    ours,
                    peak,
                    foretold,
                    share);
        }
        return String.format(
                Locale.ROOT,
                "| %s | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f | %.0f | %.2f | %s |",
                result.workload(),
                ours,
                Comparison.median(result.peer(), Measurement::medianSeconds),
                result.ratio(Measurement::medianSeconds),
                result.ratio(m -> Measurement.median(m.cpuSeconds())),
                peak,
                foretold,
                Comparison.median(result.peer(), Measurement::stepPeakMb),
                result.ratio(Measurement::stepPeakMb),
                share);
    }

    static void write(Path file, String commit, List<Comparison> results) throws IOException {
        Map<String, Object> all =
                Map.of(
                        "commit",
                        commit,
                        "java",
                        System.getProperty("java.vm.version"),
                        "processors",
                        Runtime.getRuntime().availableProcessors(),
                        "results",
                        results);
        String json =
                new GsonBuilder()
                        .setPrettyPrinting()
                        .serializeSpecialFloatingPointValues()
                        .create()
                        .toJson(all);
        Files.writeString(file, json + "\n", StandardCharsets.UTF_8);
    }
}
