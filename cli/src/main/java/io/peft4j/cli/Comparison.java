package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Locale;

/**
 * What compare found, and its forms for a program and for a terminal.
 *
 * @param model the base model's directory
 * @param data the training data
 * @param evalData the held-out data
 * @param runs one per method and rank
 */
record Comparison(String model, String data, String evalData, List<ComparedRun> runs) {

    Comparison {
        runs = List.copyOf(runs);
    }

    JsonObject json() {
        JsonObject json = new JsonObject();
        json.addProperty("model", model);
        json.addProperty("data", data);
        json.addProperty("eval_data", evalData);
        JsonArray rows = new JsonArray();
        for (ComparedRun run : runs) {
            JsonObject row = new JsonObject();
            row.addProperty("method", run.method());
            row.addProperty("rank", run.rank());
            row.addProperty("adapter", run.adapter().toString());
            row.addProperty("trainable", run.trainable());
            row.addProperty("loss_before", run.lossBefore());
            row.addProperty("loss_after", run.lossAfter());
            row.addProperty("tokens_per_second", run.tokensPerSecond());
            row.addProperty("peak_memory_mb", run.peakMemory().megabytes());
            row.addProperty("peak_memory_estimated", run.peakMemory().estimated());
            row.addProperty("merge_max_difference", run.mergeDifference());
            rows.add(row);
        }
        json.add("runs", rows);
        return json;
    }

    static final List<String> COLUMNS =
            List.of(
                    "method",
                    "rank",
                    "trainable",
                    "loss before",
                    "loss after",
                    "tokens/s",
                    "peak MB",
                    "merged vs not");

    /** The cells of a run, under {@link #COLUMNS}. */
    static List<String> cells(ComparedRun run) {
        return List.of(
                run.method(),
                Integer.toString(run.rank()),
                format("%,d", run.trainable()),
                format("%.4f", run.lossBefore()),
                format("%.4f", run.lossAfter()),
                format("%,.0f", run.tokensPerSecond()),
                format("%,.0f", run.peakMemory().megabytes())
                        + (run.peakMemory().estimated() ? " ~" : ""),
                format("%.1e", run.mergeDifference()));
    }

    String table() {
        return TextTable.of(COLUMNS, runs.stream().map(Comparison::cells).toList());
    }

    private static String format(String format, Object value) {
        return String.format(Locale.ROOT, format, value);
    }
}
