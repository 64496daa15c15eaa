package io.peft4j.tuning;

import java.util.LinkedHashMap;
import java.util.Map;

/** Everything that decides the result of a run, as text by name. */
final class RunSettings {

    /** The setting that names the base model. */
    static final String BASE = "base_model_fingerprint";

    /** The setting that tells what the base model computes in. */
    static final String BASE_DTYPE = "base_dtype";

    private RunSettings() {}

    static Map<String, String> of(Trainable trainable, TrainingTask task, TrainingConfig config) {
        int totalSteps = RowOrder.totalSteps(task.rows(), config);
        Map<String, String> settings = new LinkedHashMap<>(config.fingerprint(totalSteps));
        settings.putAll(trainable.settings());
        settings.put("data_rows", String.valueOf(task.rows()));
        settings.putAll(task.settings());
        return settings;
    }
}
