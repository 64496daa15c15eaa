package io.peft4j.cli;

import io.peft4j.cli.compare.RunSpec;
import io.peft4j.cli.compare.Variant;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.safetensors.Dtype;
import io.peft4j.tuning.TrainingConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What each run of a comparison is trained with, as a config and as text.
 *
 * @param inputs model and data
 * @param adapter the adapter's shape
 * @param training how to train
 * @param dtype what the base is computed in
 */
record RunSettings(
        CompareInputs inputs, AdapterOptions adapter, HyperParameters training, Dtype dtype) {

    /** Keys of PEFT's config that do not change what is trained. */
    private static final Set<String> WITHOUT_EFFECT =
            Set.of(
                    "base_model_name_or_path",
                    "inference_mode",
                    "peft_version",
                    "revision",
                    "task_type");

    /** How often a run is evaluated. */
    private static final int EVALUATIONS = 3;

    TrainingConfig.Builder config(RunSpec run) {
        return training.config()
                .optLearningRate(run.variant().learningRate())
                .optSeed(run.seed())
                .optEvalSteps((steps() + EVALUATIONS - 1) / EVALUATIONS);
    }

    int steps() {
        return training.steps(inputs.examples().size());
    }

    /** The adapter of a variant that has one. */
    LowRankConfig adapter(Variant variant) {
        return adapter.create(
                variant.method(),
                variant.rank().orElseThrow(),
                variant.targets(),
                inputs.config().defaultTargetModules(),
                inputs.source().name());
    }

    /** Says everything that decides the result of a run, under the names of a checkpoint. */
    Map<String, String> text(RunSpec run, CompareInputs.Hashes hashes) {
        Variant variant = run.variant();
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("method", variant.method());
        settings.put("steps", String.valueOf(steps()));
        settings.putAll(config(run).build().fingerprint(steps()));
        if (variant.rank().isPresent()) {
            adapter(variant)
                    .toPeft()
                    .json()
                    .asMap()
                    .forEach(
                            (key, value) -> {
                                if (!WITHOUT_EFFECT.contains(key)) {
                                    settings.put("adapter." + key, value.toString());
                                }
                            });
        }
        settings.put("base_dtype", dtype.torchName());
        settings.put("base_sha256", hashes.base());
        settings.put("data_sha256", hashes.data());
        settings.put("held_out_sha256", hashes.heldOut());
        return settings;
    }

    /** Refuses targets that the model does not have, before anything is trained. */
    void checkTargets(List<Variant> variants) {
        for (Variant variant : variants) {
            if (variant.rank().isPresent()) {
                inputs.config().sites(adapter(variant));
            }
        }
    }
}
