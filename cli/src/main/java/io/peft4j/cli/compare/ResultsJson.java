package io.peft4j.cli.compare;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.Optional;

/** Writes a comparison as {@code results.json}: the runs, and the variants over their seeds. */
public final class ResultsJson {

    private ResultsJson() {}

    /**
     * Writes a comparison.
     *
     * @param comparison the comparison
     * @return the object
     */
    public static JsonObject of(Comparison comparison) {
        JsonObject json = new JsonObject();
        json.addProperty("model", comparison.model());
        json.addProperty("data", comparison.data());
        json.addProperty("eval_data", comparison.evalData());
        JsonArray runs = new JsonArray();
        comparison.runs().forEach(run -> runs.add(RunRecord.of(run)));
        json.add("runs", runs);
        JsonArray variants = new JsonArray();
        comparison.variants().forEach(row -> variants.add(variant(row)));
        json.add("variants", variants);
        Optional<VariantResult> best = Verdict.of(comparison).best();
        json.addProperty("best", best.map(VariantResult::label).orElse(null));
        JsonObject facts = new JsonObject();
        comparison.facts().forEach(facts::addProperty);
        json.add("settings", facts);
        return json;
    }

    private static JsonObject variant(VariantResult row) {
        Variant variant = row.variant();
        JsonObject json = new JsonObject();
        json.addProperty("label", row.label());
        json.addProperty("method", variant.method());
        json.addProperty("rank", variant.rank().isPresent() ? variant.rank().getAsInt() : null);
        json.addProperty("learning_rate", variant.learningRate());
        json.addProperty("target_modules", variant.targets().orElse(null));
        json.addProperty("trainable", row.trainable());
        json.addProperty("loss_before", row.lossBefore());
        json.add("loss_after", spread(row.lossAfter()));
        json.add("train_seconds", spread(row.spread(RunResult::trainSeconds)));
        json.add("tokens_per_second", spread(row.spread(RunResult::tokensPerSecond)));
        json.add("peak_memory_mb", spread(row.spread(RunResult::peakMemoryMb)));
        json.addProperty("failed_runs", row.failed());
        return json;
    }

    private static JsonObject spread(Spread spread) {
        JsonObject json = new JsonObject();
        json.addProperty("seeds", spread.count());
        json.addProperty("mean", spread.mean());
        json.addProperty(
                "standard_deviation",
                spread.deviation().isPresent() ? spread.deviation().getAsDouble() : null);
        json.addProperty("lowest", spread.lowest());
        json.addProperty("highest", spread.highest());
        return json;
    }
}
