package io.peft4j.tuning;

import ai.djl.nn.Parameter;
import com.google.gson.JsonElement;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterSummary;
import io.peft4j.adapters.ModelCard;
import io.peft4j.torch.GradMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Trains an adapter; checkpoints and result are adapters in PEFT's directory format, and their
 * provenance tells of the training. The result has a {@link ModelCard} besides.
 *
 * @param model the model with its adapter, not merged
 * @param name which of its adapters; empty for the active one
 * @param facts what else the provenance is to tell of the training, text by key, such as {@code
 *     data_file}
 */
public record AdapterTrainable(AdaptedModel model, Optional<String> name, Map<String, String> facts)
        implements Trainable {

    static final String SETTING = "adapter.";

    /** Keys that decide where an adapter starts or what it is used for, not how it trains. */
    private static final Set<String> WITHOUT_EFFECT =
            Set.of(
                    "base_model_name_or_path",
                    "inference_mode",
                    "init_lora_weights",
                    "peft_version",
                    "revision",
                    "task_type");

    /** Copies the facts. */
    public AdapterTrainable {
        facts = Map.copyOf(facts);
    }

    /**
     * Trains the active adapter of a model.
     *
     * @param model the model with its adapter, not merged
     * @param facts what else the provenance is to tell of the training
     */
    public AdapterTrainable(AdaptedModel model, Map<String, String> facts) {
        this(model, Optional.empty(), facts);
    }

    /**
     * Trains the active adapter of a model.
     *
     * @param model the model with its adapter, not merged
     */
    public AdapterTrainable(AdaptedModel model) {
        this(model, Map.of());
    }

    /**
     * Trains a certain adapter of a model, which whoever computes with the model puts into effect.
     *
     * @param model the model with its adapters, none of them merged
     * @param name the adapter
     */
    public AdapterTrainable(AdaptedModel model, String name) {
        this(model, Optional.of(name), Map.of());
    }

    /**
     * Returns what is trained.
     *
     * @return the adapter
     */
    public Adapter adapter() {
        return name.map(model::adapter).orElseGet(model::adapter);
    }

    @Override
    public Map<String, Parameter> parameters() {
        return adapter().parameters();
    }

    @Override
    public Map<String, String> settings() {
        Map<String, String> settings = new TreeMap<>();
        adapter()
                .config()
                .toPeft()
                .json()
                .asMap()
                .forEach(
                        (key, value) -> {
                            if (!WITHOUT_EFFECT.contains(key) || startsFromWeight(key, value)) {
                                settings.put(SETTING + key, value.toString());
                            }
                        });
        settings.put(RunSettings.BASE, model.baseFingerprint());
        settings.put(RunSettings.BASE_DTYPE, baseDtype());
        return settings;
    }

    /**
     * The fingerprint is the same for all types that hold the same values; their rounding is not.
     */
    private String baseDtype() {
        return model.summary().sites().stream()
                .map(AdapterSummary.Row::dataType)
                .distinct()
                .sorted()
                .collect(Collectors.joining(" "));
    }

    /** PiSSA's and OLoRA's first factors are a part of the effective weight for good. */
    private static boolean startsFromWeight(String key, JsonElement value) {
        String text = value.toString();
        return key.equals("init_lora_weights")
                && (text.contains("pissa") || text.contains("olora"));
    }

    @Override
    public void record(Map<String, String> training) {
        Map<String, String> all = new TreeMap<>(facts);
        all.putAll(training);
        adapter().recordTraining(all);
    }

    @Override
    public void save(Path directory) throws IOException {
        adapter().save(directory);
    }

    @Override
    public void load(Path directory) throws IOException {
        try (GradMode off = GradMode.disabled()) {
            adapter().load(directory);
        }
    }

    @Override
    public void export(Path output) throws IOException {
        adapter().save(output);
        ModelCard.of(adapter()).write(output);
    }
}
