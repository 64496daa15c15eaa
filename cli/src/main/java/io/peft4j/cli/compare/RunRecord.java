package io.peft4j.cli.compare;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;

/**
 * A run as one flat record: the names are the columns of {@code results.csv} and the keys of the
 * runs in {@code results.json}. They are documented in docs/compare.md and stay.
 */
final class RunRecord {

    static final List<String> NAMES =
            List.of(
                    "method",
                    "rank",
                    "learning_rate",
                    "target_modules",
                    "seed",
                    "adapter",
                    "trainable",
                    "loss_before",
                    "loss_after",
                    "steps",
                    "train_seconds",
                    "tokens_per_second",
                    "peak_memory_mb",
                    "peak_memory_estimated",
                    "merge_max_difference",
                    "threads",
                    "side_by_side",
                    "failure");

    private RunRecord() {}

    /** Every name has a value; what a run does not have is null. */
    static JsonObject of(ComparedRun run) {
        Variant variant = run.spec().variant();
        JsonObject known = new JsonObject();
        known.addProperty("method", variant.method());
        known.addProperty("rank", variant.rank().isPresent() ? variant.rank().getAsInt() : null);
        known.addProperty("learning_rate", variant.learningRate());
        known.addProperty("target_modules", variant.targets().orElse(null));
        known.addProperty("seed", run.spec().seed());
        known.addProperty("adapter", run.directory().toString());
        run.result().ifPresent(result -> result.addTo(known));
        if (run.result().isEmpty()) {
            known.addProperty("failure", run.failure());
        }
        JsonObject record = new JsonObject();
        for (String name : NAMES) {
            record.add(name, known.has(name) ? known.get(name) : JsonNull.INSTANCE);
        }
        return record;
    }

    /** The values as texts, in the order of the names; empty for what a run does not have. */
    static List<String> texts(ComparedRun run) {
        List<String> texts = new ArrayList<>();
        for (JsonElement value : of(run).asMap().values()) {
            texts.add(value.isJsonNull() ? "" : value.getAsString());
        }
        return texts;
    }
}
