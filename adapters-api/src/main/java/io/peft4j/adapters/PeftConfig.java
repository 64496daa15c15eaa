package io.peft4j.adapters;

import com.google.gson.JsonElement;
import io.peft4j.files.AtomicFiles;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * PEFT's {@code adapter_config.json}: what it says, and how it is written.
 *
 * <p>Reading takes what any PEFT up to 0.21 writes; keys without a method here are kept in {@link
 * #otherKeys}, and those among them that change the model's computation are named by {@link
 * #unsupportedFeatures}. Writing gives only the keys that every PEFT since 0.9 (DoRA's) knows,
 * since older ones fail on a key they don't; keys are sorted, indented by two spaces, and the names
 * of a list stand in alphabetical order where PEFT's own order is random.
 *
 * <p>This file is long because it holds one accessor and one builder method for each key, and
 * nothing else.
 */
public final class PeftConfig {

    /** The file's name in an adapter's directory. */
    public static final String FILE_NAME = "adapter_config.json";

    static final int MAX_BYTES = 1_000_000;
    static final int MAX_DEPTH = 8;

    private final String peftType;
    private final @Nullable String taskType;
    private final @Nullable String baseModel;
    private final @Nullable String revision;
    private final boolean inferenceMode;
    private final int rank;
    private final double alpha;
    private final double dropout;
    private final String bias;
    private final boolean fanInFanOut;
    private final @Nullable ModuleFilter targetModules;
    private final @Nullable ModuleFilter excludeModules;
    private final @Nullable List<String> modulesToSave;
    private final String initialization;
    private final @Nullable List<Integer> layersToTransform;
    private final @Nullable List<String> layersPattern;
    private final Map<String, Integer> rankPattern;
    private final Map<String, Double> alphaPattern;
    private final boolean rslora;
    private final boolean dora;
    private final Map<String, JsonElement> otherKeys;

    private PeftConfig(Builder builder) {
        this.peftType = builder.peftType;
        this.taskType = builder.taskType;
        this.baseModel = builder.baseModel;
        this.revision = builder.revision;
        this.inferenceMode = builder.inferenceMode;
        this.rank = builder.rank;
        this.alpha = builder.alpha;
        this.dropout = builder.dropout;
        this.bias = builder.bias;
        this.fanInFanOut = builder.fanInFanOut;
        this.targetModules = builder.targetModules;
        this.excludeModules = builder.excludeModules;
        this.modulesToSave = builder.modulesToSave;
        this.initialization = builder.initialization;
        this.layersToTransform = builder.layersToTransform;
        this.layersPattern = builder.layersPattern;
        this.rankPattern = builder.rankPattern;
        this.alphaPattern = builder.alphaPattern;
        this.rslora = builder.rslora;
        this.dora = builder.dora;
        this.otherKeys = Collections.unmodifiableMap(new LinkedHashMap<>(builder.otherKeys));
    }

    /**
     * Returns a builder with PEFT's defaults.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Reads a file of at most 1 MB and depth 8.
     *
     * @param file the file
     * @return the configuration
     * @throws StrictJsonException if it is not strict JSON within these limits
     * @throws AdapterConfigException if a value has the wrong type or is out of range
     * @throws IOException if it cannot be read
     */
    public static PeftConfig read(Path file) throws IOException {
        return PeftConfigJson.parse(StrictJson.read(file, MAX_BYTES, MAX_DEPTH), file.toString());
    }

    /**
     * Writes the file, atomically.
     *
     * @param file the file to create or replace
     * @throws IOException if it cannot be written; the old file is then still there
     */
    public void write(Path file) throws IOException {
        AtomicFiles.writeString(file, toJson());
    }

    /**
     * Returns the text of the file.
     *
     * @return JSON
     */
    public String toJson() {
        return PeftConfigJson.text(this);
    }

    /**
     * Returns the rules for choosing modules.
     *
     * @return a builder that holds this configuration's rules
     * @throws AdapterConfigException if there is no target_modules
     */
    public TargetModules.Builder targets() {
        if (targetModules == null) {
            throw new AdapterConfigException("expected target_modules, found none");
        }
        TargetModules.Builder rules =
                TargetModules.builder()
                        .setTargets(targetModules)
                        .optRankPattern(rankPattern)
                        .optAlphaPattern(alphaPattern);
        if (excludeModules != null) {
            rules.optExclude(excludeModules);
        }
        if (modulesToSave != null) {
            rules.optModulesToSave(modulesToSave);
        }
        if (layersToTransform != null) {
            rules.optLayersToTransform(layersToTransform);
        }
        if (layersPattern != null) {
            rules.optLayersPattern(layersPattern);
        }
        return rules;
    }

    /**
     * Returns a module's scale: alpha/r, or alpha/√r for rsLoRA.
     *
     * @param target a module that {@link #targets} selected
     * @return the factor before B·A
     */
    public double scale(Selection.Target target) {
        int r = target.rank().orElse(rank);
        return target.alpha().orElse(alpha) / (rslora ? Math.sqrt(r) : r);
    }

    /**
     * Names what this configuration asks for beyond LoRA and DoRA, such as {@code lora_bias=true}.
     *
     * @return keys with values; empty if there is nothing more
     */
    public List<String> unsupportedFeatures() {
        return PeftConfigJson.unsupported(otherKeys);
    }

    /**
     * Returns the keys that were read and have no method here.
     *
     * @return keys and values, in the order of the file
     */
    public Map<String, JsonElement> otherKeys() {
        return otherKeys;
    }

    /**
     * Returns {@code peft_type}.
     *
     * @return the method, such as {@code LORA}
     */
    public String peftType() {
        return peftType;
    }

    /**
     * Returns {@code task_type}.
     *
     * @return the task, such as {@code CAUSAL_LM}, or null
     */
    public @Nullable String taskType() {
        return taskType;
    }

    /**
     * Returns {@code base_model_name_or_path}.
     *
     * @return the base model's name or path, or null
     */
    public @Nullable String baseModel() {
        return baseModel;
    }

    /**
     * Returns {@code revision}.
     *
     * @return the base model's revision, or null
     */
    public @Nullable String revision() {
        return revision;
    }

    /**
     * Returns {@code inference_mode}.
     *
     * @return whether PEFT loads the adapter frozen
     */
    public boolean inferenceMode() {
        return inferenceMode;
    }

    /**
     * Returns {@code r}.
     *
     * @return the rank, at least 1
     */
    public int rank() {
        return rank;
    }

    /**
     * Returns {@code lora_alpha}.
     *
     * @return the numerator of the scale
     */
    public double alpha() {
        return alpha;
    }

    /**
     * Returns {@code lora_dropout}.
     *
     * @return the dropout probability, from 0 to below 1
     */
    public double dropout() {
        return dropout;
    }

    /**
     * Returns {@code bias}.
     *
     * @return {@code none}, {@code all} or {@code lora_only}
     */
    public String bias() {
        return bias;
    }

    /**
     * Returns {@code fan_in_fan_out}.
     *
     * @return whether weights are stored (in, out)
     */
    public boolean fanInFanOut() {
        return fanInFanOut;
    }

    /**
     * Returns {@code target_modules}.
     *
     * @return which modules the adapter attaches to, or null for the architecture's default
     */
    public @Nullable ModuleFilter targetModules() {
        return targetModules;
    }

    /**
     * Returns {@code exclude_modules}.
     *
     * @return which modules are kept out, or null
     */
    public @Nullable ModuleFilter excludeModules() {
        return excludeModules;
    }

    /**
     * Returns {@code modules_to_save}.
     *
     * @return modules trained and saved whole, or null
     */
    public @Nullable List<String> modulesToSave() {
        return modulesToSave;
    }

    /**
     * Returns {@code init_lora_weights}.
     *
     * @return how the weights began: {@code true}, {@code false}, or a name such as {@code
     *     gaussian}
     */
    public String initialization() {
        return initialization;
    }

    /**
     * Returns {@code layers_to_transform}.
     *
     * @return layer indices, or null
     */
    public @Nullable List<Integer> layersToTransform() {
        return layersToTransform;
    }

    /**
     * Returns {@code layers_pattern}.
     *
     * @return names of the module lists that hold the layers, or null
     */
    public @Nullable List<String> layersPattern() {
        return layersPattern;
    }

    /**
     * Returns {@code rank_pattern}.
     *
     * @return ranks of single modules; the order counts
     */
    public Map<String, Integer> rankPattern() {
        return rankPattern;
    }

    /**
     * Returns {@code alpha_pattern}.
     *
     * @return alphas of single modules; the order counts
     */
    public Map<String, Double> alphaPattern() {
        return alphaPattern;
    }

    /**
     * Returns {@code use_rslora}.
     *
     * @return whether the scale is alpha/√r instead of alpha/r
     */
    public boolean rslora() {
        return rslora;
    }

    /**
     * Returns {@code use_dora}.
     *
     * @return whether the adapter is DoRA
     */
    public boolean dora() {
        return dora;
    }

    /** Collects a configuration. */
    public static final class Builder {

        private String peftType = "LORA";
        private @Nullable String taskType;
        private @Nullable String baseModel;
        private @Nullable String revision;
        private boolean inferenceMode = true;
        private int rank = 8;
        private double alpha = 8;
        private double dropout = 0;
        private String bias = "none";
        private boolean fanInFanOut = false;
        private @Nullable ModuleFilter targetModules;
        private @Nullable ModuleFilter excludeModules;
        private @Nullable List<String> modulesToSave;
        private String initialization = "true";
        private @Nullable List<Integer> layersToTransform;
        private @Nullable List<String> layersPattern;
        private Map<String, Integer> rankPattern = Map.of();
        private Map<String, Double> alphaPattern = Map.of();
        private boolean rslora = false;
        private boolean dora = false;
        private Map<String, JsonElement> otherKeys = Map.of();

        private Builder() {}

        /**
         * Sets {@code peft_type}.
         *
         * @param value the method, such as {@code LORA}
         * @return this builder
         */
        public Builder optPeftType(String value) {
            this.peftType = value;
            return this;
        }

        /**
         * Sets {@code task_type}.
         *
         * @param value the task, such as {@code CAUSAL_LM}, or null
         * @return this builder
         */
        public Builder optTaskType(@Nullable String value) {
            this.taskType = value;
            return this;
        }

        /**
         * Sets {@code base_model_name_or_path}.
         *
         * @param value the base model's name or path, or null
         * @return this builder
         */
        public Builder optBaseModel(@Nullable String value) {
            this.baseModel = value;
            return this;
        }

        /**
         * Sets {@code revision}.
         *
         * @param value the base model's revision, or null
         * @return this builder
         */
        public Builder optRevision(@Nullable String value) {
            this.revision = value;
            return this;
        }

        /**
         * Sets {@code inference_mode}.
         *
         * @param value whether PEFT loads the adapter frozen
         * @return this builder
         */
        public Builder optInferenceMode(boolean value) {
            this.inferenceMode = value;
            return this;
        }

        /**
         * Sets {@code r}.
         *
         * @param value the rank, at least 1
         * @return this builder
         */
        public Builder optRank(int value) {
            this.rank = value;
            return this;
        }

        /**
         * Sets {@code lora_alpha}.
         *
         * @param value the numerator of the scale
         * @return this builder
         */
        public Builder optAlpha(double value) {
            this.alpha = value;
            return this;
        }

        /**
         * Sets {@code lora_dropout}.
         *
         * @param value the dropout probability, from 0 to below 1
         * @return this builder
         */
        public Builder optDropout(double value) {
            this.dropout = value;
            return this;
        }

        /**
         * Sets {@code bias}.
         *
         * @param value {@code none}, {@code all} or {@code lora_only}
         * @return this builder
         */
        public Builder optBias(String value) {
            this.bias = value;
            return this;
        }

        /**
         * Sets {@code fan_in_fan_out}.
         *
         * @param value whether weights are stored (in, out)
         * @return this builder
         */
        public Builder optFanInFanOut(boolean value) {
            this.fanInFanOut = value;
            return this;
        }

        /**
         * Sets {@code target_modules}.
         *
         * @param value which modules the adapter attaches to, or null for the architecture's
         *     default
         * @return this builder
         */
        public Builder optTargetModules(@Nullable ModuleFilter value) {
            this.targetModules = value;
            return this;
        }

        /**
         * Sets {@code exclude_modules}.
         *
         * @param value which modules are kept out, or null
         * @return this builder
         */
        public Builder optExcludeModules(@Nullable ModuleFilter value) {
            this.excludeModules = value;
            return this;
        }

        /**
         * Sets {@code modules_to_save}.
         *
         * @param value modules trained and saved whole, or null
         * @return this builder
         */
        public Builder optModulesToSave(@Nullable List<String> value) {
            this.modulesToSave = value == null ? null : List.copyOf(value);
            return this;
        }

        /**
         * Sets {@code init_lora_weights}.
         *
         * @param value how the weights began: {@code true}, {@code false}, or a name such as {@code
         *     gaussian}
         * @return this builder
         */
        public Builder optInitialization(String value) {
            this.initialization = value;
            return this;
        }

        /**
         * Sets {@code layers_to_transform}.
         *
         * @param value layer indices, or null
         * @return this builder
         */
        public Builder optLayersToTransform(@Nullable List<Integer> value) {
            this.layersToTransform = value == null ? null : List.copyOf(value);
            return this;
        }

        /**
         * Sets {@code layers_pattern}.
         *
         * @param value names of the module lists that hold the layers, or null
         * @return this builder
         */
        public Builder optLayersPattern(@Nullable List<String> value) {
            this.layersPattern = value == null ? null : List.copyOf(value);
            return this;
        }

        /**
         * Sets {@code rank_pattern}.
         *
         * @param value ranks of single modules; the order counts
         * @return this builder
         */
        public Builder optRankPattern(Map<String, Integer> value) {
            this.rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(value));
            return this;
        }

        /**
         * Sets {@code alpha_pattern}.
         *
         * @param value alphas of single modules; the order counts
         * @return this builder
         */
        public Builder optAlphaPattern(Map<String, Double> value) {
            this.alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(value));
            return this;
        }

        /**
         * Sets {@code use_rslora}.
         *
         * @param value whether the scale is alpha/√r instead of alpha/r
         * @return this builder
         */
        public Builder optRslora(boolean value) {
            this.rslora = value;
            return this;
        }

        /**
         * Sets {@code use_dora}.
         *
         * @param value whether the adapter is DoRA
         * @return this builder
         */
        public Builder optDora(boolean value) {
            this.dora = value;
            return this;
        }

        Builder otherKeys(Map<String, JsonElement> keys) {
            this.otherKeys = keys;
            return this;
        }

        /**
         * Builds the configuration.
         *
         * @return the configuration
         * @throws AdapterConfigException if a value is out of range
         */
        public PeftConfig build() {
            require(rank >= 1, "r", "a rank of at least 1", rank);
            require(Double.isFinite(alpha), "lora_alpha", "a finite number", alpha);
            require(dropout >= 0 && dropout < 1, "lora_dropout", "0 to below 1", dropout);
            require(
                    List.of("none", "all", "lora_only").contains(bias),
                    "bias",
                    "none, all or lora_only",
                    bias);
            rankPattern.forEach(
                    (key, r) -> require(r >= 1, "rank_pattern " + key, "a rank of at least 1", r));
            alphaPattern.forEach(
                    (key, a) ->
                            require(
                                    Double.isFinite(a),
                                    "alpha_pattern " + key,
                                    "a finite number",
                                    a));
            return new PeftConfig(this);
        }

        private static void require(boolean met, String key, String expected, Object found) {
            if (!met) {
                throw new AdapterConfigException(
                        key + ": expected " + expected + ", found " + found);
            }
        }
    }
}
