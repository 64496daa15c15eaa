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
 * <p>Reading takes what any PEFT up to 0.21 writes; keys without a component here are kept in
 * {@link #otherKeys}, and those among them that change the model's computation are named by {@link
 * #unsupportedFeatures}. Writing gives only the classic keys, since older versions of PEFT fail on
 * a key they don't know; keys are sorted, indented by two spaces, and target names stand in
 * alphabetical order where PEFT's own order is random.
 *
 * <p>This file is long because each key has a component and a builder method, and documentation for
 * both.
 *
 * @param peftType {@code peft_type}: the method, such as {@code LORA}
 * @param taskType {@code task_type}: the task, such as {@code CAUSAL_LM}, or null
 * @param baseModel {@code base_model_name_or_path}: the base model's name or path, or null
 * @param revision {@code revision}: the base model's revision, or null
 * @param inferenceMode {@code inference_mode}: whether PEFT loads the adapter frozen
 * @param rank {@code r}: the rank, at least 1
 * @param alpha {@code lora_alpha}: the numerator of the scale
 * @param dropout {@code lora_dropout}: the dropout probability, from 0 to below 1
 * @param bias {@code bias}: {@code none}, {@code all} or {@code lora_only}
 * @param fanInFanOut {@code fan_in_fan_out}: whether weights are stored (in, out)
 * @param targetModules {@code target_modules}: which modules the adapter attaches to, or null for
 *     the architecture's default
 * @param excludeModules {@code exclude_modules}: which modules are kept out, or null
 * @param modulesToSave {@code modules_to_save}: modules trained and saved whole, or null
 * @param initialization {@code init_lora_weights}: how the weights began: {@code true}, {@code
 *     false}, or a name such as {@code gaussian}
 * @param layersToTransform {@code layers_to_transform}: layer indices, or null
 * @param layersPattern {@code layers_pattern}: names of the module lists that hold the layers, or
 *     null
 * @param rankPattern {@code rank_pattern}: ranks of single modules; the order counts
 * @param alphaPattern {@code alpha_pattern}: alphas of single modules; the order counts
 * @param rslora {@code use_rslora}: whether the scale is alpha/√r instead of alpha/r
 * @param dora {@code use_dora}: whether the adapter is DoRA
 * @param otherKeys the keys that were read and have no component, in the order of the file
 */
public record PeftConfig(
        String peftType,
        @Nullable String taskType,
        @Nullable String baseModel,
        @Nullable String revision,
        boolean inferenceMode,
        int rank,
        double alpha,
        double dropout,
        String bias,
        boolean fanInFanOut,
        @Nullable ModuleFilter targetModules,
        @Nullable ModuleFilter excludeModules,
        @Nullable List<String> modulesToSave,
        String initialization,
        @Nullable List<Integer> layersToTransform,
        @Nullable List<String> layersPattern,
        Map<String, Integer> rankPattern,
        Map<String, Double> alphaPattern,
        boolean rslora,
        boolean dora,
        Map<String, JsonElement> otherKeys) {

    /** The file's name in an adapter's directory. */
    public static final String FILE_NAME = "adapter_config.json";

    static final int MAX_BYTES = 1_000_000;
    static final int MAX_DEPTH = 8;

    /** Checks the ranges and copies the collections. */
    public PeftConfig {
        modulesToSave = modulesToSave == null ? null : List.copyOf(modulesToSave);
        layersToTransform = layersToTransform == null ? null : List.copyOf(layersToTransform);
        layersPattern = layersPattern == null ? null : List.copyOf(layersPattern);
        rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
        alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
        otherKeys = Collections.unmodifiableMap(new LinkedHashMap<>(otherKeys));
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
                        require(Double.isFinite(a), "alpha_pattern " + key, "a finite number", a));
    }

    private static void require(boolean met, String key, String expected, Object found) {
        if (!met) {
            throw new AdapterConfigException(key + ": expected " + expected + ", found " + found);
        }
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

    /** Collects a configuration; everything is optional. */
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
            this.modulesToSave = value;
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
            this.layersToTransform = value;
            return this;
        }

        /**
         * Sets {@code layers_pattern}.
         *
         * @param value names of the module lists that hold the layers, or null
         * @return this builder
         */
        public Builder optLayersPattern(@Nullable List<String> value) {
            this.layersPattern = value;
            return this;
        }

        /**
         * Sets {@code rank_pattern}.
         *
         * @param value ranks of single modules; the order counts
         * @return this builder
         */
        public Builder optRankPattern(Map<String, Integer> value) {
            this.rankPattern = value;
            return this;
        }

        /**
         * Sets {@code alpha_pattern}.
         *
         * @param value alphas of single modules; the order counts
         * @return this builder
         */
        public Builder optAlphaPattern(Map<String, Double> value) {
            this.alphaPattern = value;
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
            return new PeftConfig(
                    peftType,
                    taskType,
                    baseModel,
                    revision,
                    inferenceMode,
                    rank,
                    alpha,
                    dropout,
                    bias,
                    fanInFanOut,
                    targetModules,
                    excludeModules,
                    modulesToSave,
                    initialization,
                    layersToTransform,
                    layersPattern,
                    rankPattern,
                    alphaPattern,
                    rslora,
                    dora,
                    otherKeys);
        }
    }
}
