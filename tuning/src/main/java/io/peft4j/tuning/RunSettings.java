package io.peft4j.tuning;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Everything that decides the result of a run, as text by name. */
final class RunSettings {

    /** The setting that names the base model. */
    static final String BASE = "base_model_fingerprint";

    /** The setting that tells what the base model computes in. */
    static final String BASE_DTYPE = "base_dtype";

    private RunSettings() {}

    static Map<String, String> of(
            Trainable trainable,
            List<Example> train,
            List<Example> heldOut,
            TrainingConfig config) {
        int totalSteps = RowOrder.totalSteps(train.size(), config);
        Map<String, String> settings = new LinkedHashMap<>(config.fingerprint(totalSteps));
        settings.putAll(trainable.settings());
        settings.put("data_rows", String.valueOf(train.size()));
        settings.put("data_sha256", DataFingerprint.of(train));
        settings.put("held_out_sha256", DataFingerprint.of(heldOut));
        return settings;
    }
}
