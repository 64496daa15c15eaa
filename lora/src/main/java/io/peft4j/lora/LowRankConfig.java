package io.peft4j.lora;

import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.ModulePatterns;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.TrainedInFull;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The settings that LoRA and DoRA share, under PEFT's names and with PEFT's meaning.
 *
 * <p>The file is long because there are many: a documented getter and setter for each, and no more.
 * {@code PeftSettings} reads and writes them, {@code SettingsCheck} knows what fits together.
 */
public abstract class LowRankConfig implements AdapterConfig {

    /** PEFT's name of the family. */
    public static final String PEFT_TYPE = "LORA";

    /** The settings that are carried out, refused by name, or without a meaning once trained. */
    public static final Set<String> CONFIG_KEYS =
            Set.of(
                    "alora_invocation_tokens",
                    "alpha_pattern",
                    "bias",
                    "corda_config",
                    "ensure_weight_tying",
                    "eva_config",
                    "fan_in_fan_out",
                    "init_lora_weights",
                    "layer_replication",
                    "loftq_config",
                    "lora_alpha",
                    "lora_bias",
                    "lora_dropout",
                    "lora_ga_config",
                    "megatron_config",
                    "megatron_core",
                    "qalora_group_size",
                    "r",
                    "rank_pattern",
                    "target_parameters",
                    "trainable_token_indices",
                    "use_bdlora",
                    "use_dora",
                    "use_qalora",
                    "use_rslora");

    private final TargetModules targetModules;
    private final ModulePatterns rankPattern;
    private final ModulePatterns alphaPattern;
    private final int rank;
    private final double alpha;
    private final boolean rsLora;
    private final double dropout;
    private final LoraInit init;
    private final boolean loraBias;
    private final boolean fanInFanOut;
    private final TrainedInFull trainedInFull;
    private final boolean ensureWeightTying;
    private final @Nullable String baseModel;
    private final @Nullable String taskType;
    private final boolean saved;

    /**
     * Takes the builder's values.
     *
     * @param builder a builder that was checked
     */
    protected LowRankConfig(Builder<?> builder) {
        TargetModules targets =
                Objects.requireNonNull(
                        builder.targets, "set target modules, such as \"all-linear\"");
        targetModules =
                builder.modulesToSave.isEmpty()
                        ? targets
                        : targets.withModulesToSave(builder.modulesToSave);
        rankPattern = ModulePatterns.of(builder.rankPattern);
        alphaPattern = ModulePatterns.of(builder.alphaPattern);
        rank = builder.rank;
        alpha = Double.isNaN(builder.alpha) ? 2.0 * builder.rank : builder.alpha;
        rsLora = builder.rsLora;
        dropout = builder.dropout;
        init = builder.init;
        loraBias = builder.loraBias;
        fanInFanOut = builder.fanInFanOut;
        trainedInFull =
                new TrainedInFull(builder.bias, targetModules.modulesToSave(), builder.tokens);
        ensureWeightTying = builder.ensureWeightTying;
        baseModel = builder.baseModel;
        taskType = builder.taskType;
        saved = builder.saved;
    }

    /**
     * Returns the rank where no pattern says otherwise.
     *
     * @return r
     */
    public int rank() {
        return rank;
    }

    /**
     * Returns the numerator of the scaling where no pattern says otherwise.
     *
     * @return alpha
     */
    public double alpha() {
        return alpha;
    }

    /**
     * Returns whether the scaling is rank-stabilised.
     *
     * @return true for \(\alpha / \sqrt r\), false for \(\alpha / r\)
     */
    public boolean rsLora() {
        return rsLora;
    }

    /**
     * Returns the probability of dropping an input of A in training.
     *
     * @return a number in [0, 1)
     */
    public double dropout() {
        return dropout;
    }

    /**
     * Returns how A and B start.
     *
     * @return the initialisation
     */
    public LoraInit init() {
        return init;
    }

    /**
     * Returns whether B has a bias.
     *
     * @return PEFT's {@code lora_bias}
     */
    public boolean loraBias() {
        return loraBias;
    }

    /**
     * Returns the rank at a module: the value of the first rank pattern that matches it, or r.
     *
     * @param module the dotted module path
     * @return the rank
     */
    public int rank(String module) {
        return rankPattern.lookup(module).map(Double::intValue).orElse(rank);
    }

    /**
     * Returns the scaling at a module.
     *
     * @param module the dotted module path
     * @return \(\alpha / r\) or \(\alpha / \sqrt r\), with the module's own rank and alpha
     */
    public double scaling(String module) {
        double moduleAlpha = alphaPattern.lookup(module).orElse(alpha);
        int moduleRank = rank(module);
        return rsLora ? moduleAlpha / Math.sqrt(moduleRank) : moduleAlpha / moduleRank;
    }

    @Override
    public TargetModules targetModules() {
        return targetModules;
    }

    @Override
    public boolean fanInFanOut() {
        return fanInFanOut;
    }

    @Override
    public TrainedInFull trainedInFull() {
        return trainedInFull;
    }

    @Override
    public boolean ensureWeightTying() {
        return ensureWeightTying;
    }

    /**
     * Refuses a convolution in groups, one that cannot start as asked, and a pattern that matches
     * no site, which is most often a mistake; only settings of a saved adapter may hold some, as in
     * PEFT.
     */
    @Override
    public void validate(List<Site> sites) {
        sites.forEach(site -> SettingsCheck.requireFits(this, site));
        if (!saved) {
            List<String> modules = sites.stream().map(Site::path).toList();
            rankPattern.requireMatches("rank_pattern", modules);
            alphaPattern.requireMatches("alpha_pattern", modules);
        }
    }

    @Override
    public @Nullable AdapterState createBias(Site site, NDManager owner) {
        return loraBias ? new LoraBias(site.outFeatures(), scaling(site.path()), owner) : null;
    }

    /**
     * Says whether this is DoRA, in PEFT's words.
     *
     * @return the value of {@code use_dora}
     */
    protected abstract boolean useDora();

    @Override
    public PeftConfig toPeft() {
        return PeftSettings.write(this);
    }

    /**
     * Reads a config of the same method.
     *
     * @param peft the settings
     * @return the config
     */
    protected abstract LowRankConfig read(PeftConfig peft);

    /** The settings of an adapter that {@link LoraConversion} makes of one with these. */
    LowRankConfig plain() {
        return read(PeftSettings.writePlain(this));
    }

    ModulePatterns rankPattern() {
        return rankPattern;
    }

    ModulePatterns alphaPattern() {
        return alphaPattern;
    }

    @Nullable String baseModel() {
        return baseModel;
    }

    @Nullable String taskType() {
        return taskType;
    }

    /**
     * Builds a config. A setting that contradicts another is refused with both values.
     *
     * @param <T> the concrete builder
     */
    public abstract static class Builder<T extends Builder<T>> {

        private @Nullable TargetModules targets;
        private Map<String, Integer> rankPattern = Map.of();
        private Map<String, Double> alphaPattern = Map.of();
        private int rank;
        private double alpha = Double.NaN;
        private boolean rsLora;
        private double dropout;
        private LoraInit init = LoraInit.DEFAULT;
        private boolean loraBias;
        private boolean fanInFanOut;
        private TrainedInFull.Bias bias = TrainedInFull.Bias.NONE;
        private List<String> modulesToSave = List.of();
        private Map<String, List<Integer>> tokens = Map.of();
        private boolean ensureWeightTying;
        private @Nullable String baseModel;
        private @Nullable String taskType;
        private boolean saved;

        /** Starts from the defaults. */
        protected Builder() {}

        /**
         * Returns this builder.
         *
         * @return this
         */
        protected abstract T self();

        /**
         * Sets the rank (required).
         *
         * @param r the rank, at least 1
         * @return this builder
         */
        public T setRank(int r) {
            rank = r;
            return self();
        }

        /**
         * Sets the numerator of the scaling; it is twice the rank unless set.
         *
         * @param loraAlpha alpha
         * @return this builder
         */
        public T optAlpha(double loraAlpha) {
            alpha = loraAlpha;
            return self();
        }

        /**
         * Sets which modules to adapt (required).
         *
         * @param modules the targets
         * @return this builder
         */
        public T setTargetModules(TargetModules modules) {
            targets = modules;
            return self();
        }

        /**
         * Sets which modules to adapt (required).
         *
         * @param names module paths or dotted ends of paths; or one text in any form that {@link
         *     TargetModules#parse} takes, such as {@code all-linear}
         * @return this builder
         */
        public T setTargetModules(String... names) {
            return setTargetModules(
                    names.length == 1 ? TargetModules.parse(names[0]) : TargetModules.of(names));
        }

        /**
         * Scales by \(\alpha / \sqrt r\) instead of \(\alpha / r\).
         *
         * @param rankStabilised whether to
         * @return this builder
         */
        public T optRsLora(boolean rankStabilised) {
            rsLora = rankStabilised;
            return self();
        }

        /**
         * Sets the probability of dropping an input of A in training; 0 unless set.
         *
         * @param probability a number in [0, 1)
         * @return this builder
         */
        public T optDropout(double probability) {
            dropout = probability;
            return self();
        }

        /**
         * Sets how A and B start.
         *
         * @param initialisation the initialisation
         * @return this builder
         */
        public T optInit(LoraInit initialisation) {
            init = initialisation;
            return self();
        }

        /**
         * Sets ranks for some modules.
         *
         * @param ranks ranks by pattern, see {@link ModulePatterns}
         * @return this builder
         */
        public T optRankPattern(Map<String, Integer> ranks) {
            rankPattern = new LinkedHashMap<>(ranks);
            return self();
        }

        /**
         * Sets alphas for some modules.
         *
         * @param alphas alphas by pattern, see {@link ModulePatterns}
         * @return this builder
         */
        public T optAlphaPattern(Map<String, Double> alphas) {
            alphaPattern = new LinkedHashMap<>(alphas);
            return self();
        }

        /**
         * Gives B a bias, zero at the start, which is scaled as B is and added to the module's own:
         * PEFT's {@code lora_bias}. Not for embeddings, not for DoRA, and with the default init
         * only.
         *
         * @param biased whether to
         * @return this builder
         */
        public T optLoraBias(boolean biased) {
            loraBias = biased;
            return self();
        }

        /**
         * Says that weights which are no linear layer's are stored (in, out), as those of GPT-2's
         * {@code Conv1D}: PEFT's {@code fan_in_fan_out}.
         *
         * @param inOut whether they are
         * @return this builder
         */
        public T optFanInFanOut(boolean inOut) {
            fanInFanOut = inOut;
            return self();
        }

        /**
         * Sets which biases are trained; none unless set.
         *
         * @param biases which
         * @return this builder
         */
        public T optBias(TrainedInFull.Bias biases) {
            bias = biases;
            return self();
        }

        /**
         * Sets modules that are trained whole and saved with the adapter, such as a classifier's
         * head: PEFT's {@code modules_to_save}.
         *
         * @param modules paths or dotted ends of paths
         * @return this builder
         */
        public T optModulesToSave(String... modules) {
            modulesToSave = List.of(modules);
            return self();
        }

        /**
         * Sets rows of the model's input embedding that are trained, such as those of new tokens:
         * PEFT's {@code trainable_token_indices}.
         *
         * @param rows the tokens' numbers
         * @return this builder
         */
        public T optTrainableTokens(List<Integer> rows) {
            return optTrainableTokens(Map.of("", rows));
        }

        /**
         * Sets rows of embeddings that are trained: PEFT's {@code trainable_token_indices}.
         *
         * @param rows the numbers by the embedding's path or a dotted end of it
         * @return this builder
         */
        public T optTrainableTokens(Map<String, List<Integer>> rows) {
            tokens = new LinkedHashMap<>(rows);
            return self();
        }

        /**
         * Keeps modules that share a weight sharing it when one of them is adapted or trained:
         * PEFT's {@code ensure_weight_tying}.
         *
         * @param ensure whether to
         * @return this builder
         */
        public T optEnsureWeightTying(boolean ensure) {
            ensureWeightTying = ensure;
            return self();
        }

        /**
         * Names the base model in the saved config.
         *
         * @param nameOrPath a hub name or a path
         * @return this builder
         */
        public T optBaseModel(@Nullable String nameOrPath) {
            baseModel = nameOrPath;
            return self();
        }

        /**
         * Says in the saved config what the model is for, in PEFT's words. PEFT wraps the model
         * accordingly, so a language model's adapter says {@code CAUSAL_LM}, and an adapter of
         * anything that is not a transformers model says nothing.
         *
         * @param type such as {@code CAUSAL_LM} or {@code SEQ_CLS}; null, unless set
         * @return this builder
         */
        public T optTaskType(@Nullable String type) {
            taskType = type;
            return self();
        }

        /**
         * Takes all settings of a saved config.
         *
         * @param peft a config of PEFT type LORA
         * @return this builder
         * @throws AdapterConfigException if a setting is malformed or not supported
         */
        public T read(PeftConfig peft) {
            saved = true;
            return PeftSettings.read(peft, self());
        }

        /**
         * Checks a config; a subclass calls this last in {@code build()}.
         *
         * @param config the new config
         * @param <C> its class
         * @return the config
         * @throws AdapterConfigException if a setting is out of range or contradicts another
         */
        protected static <C extends LowRankConfig> C checked(C config) {
            SettingsCheck.check(config);
            return config;
        }
    }
}
