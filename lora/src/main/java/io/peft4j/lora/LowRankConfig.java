package io.peft4j.lora;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.ModulePatterns;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The settings that LoRA and DoRA share, under PEFT's names and with PEFT's meaning. */
public abstract class LowRankConfig implements AdapterConfig {

    private static final int LARGEST_RANK = 4096;

    /** Initialisations of PEFT that change adapters only, so that a saved adapter fits any base. */
    private static final Set<String> KEEPS_THE_BASE =
            Set.of("true", "false", "\"gaussian\"", "\"orthogonal\"", "\"eva\"");

    private final TargetModules targetModules;
    private final ModulePatterns rankPattern;
    private final ModulePatterns alphaPattern;
    private final int rank;
    private final double alpha;
    private final boolean rsLora;
    private final double dropout;
    private final LoraInit init;
    private final @Nullable String baseModel;
    private final boolean saved;

    /**
     * Takes the builder's values.
     *
     * @param builder a builder that was checked
     */
    protected LowRankConfig(Builder<?> builder) {
        targetModules =
                Objects.requireNonNull(
                        builder.targets, "set target modules, such as \"all-linear\"");
        rankPattern = ModulePatterns.of(builder.rankPattern);
        alphaPattern = ModulePatterns.of(builder.alphaPattern);
        rank = builder.rank;
        alpha = Double.isNaN(builder.alpha) ? 2.0 * builder.rank : builder.alpha;
        rsLora = builder.rsLora;
        dropout = builder.dropout;
        init = builder.init;
        baseModel = builder.baseModel;
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
     * Returns how A is drawn.
     *
     * @return the initialisation
     */
    public LoraInit init() {
        return init;
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

    /**
     * Refuses a pattern that matches no site, which is most often a mistake; only settings of a
     * saved adapter may hold some, as in PEFT.
     */
    @Override
    public void validate(List<Site> sites) {
        if (!saved) {
            List<String> modules = sites.stream().map(Site::path).toList();
            rankPattern.requireMatches("rank_pattern", modules);
            alphaPattern.requireMatches("alpha_pattern", modules);
        }
    }

    /**
     * Says whether this is DoRA, in PEFT's words.
     *
     * @return the value of {@code use_dora}
     */
    protected abstract boolean useDora();

    @Override
    public PeftConfig toPeft() {
        return targetModules
                .writeTo(PeftConfig.builder("LORA"))
                .opt("task_type", "CAUSAL_LM")
                .opt("base_model_name_or_path", baseModel)
                .opt("revision", null)
                .opt("inference_mode", true)
                .opt("r", rank)
                .opt("lora_alpha", alpha)
                .opt("rank_pattern", rankPattern.values())
                .opt("alpha_pattern", alphaPattern.values())
                .opt("lora_dropout", dropout)
                .opt("bias", "none")
                .opt("fan_in_fan_out", false)
                .opt("init_lora_weights", init.peftValue())
                .opt("use_rslora", rsLora)
                .opt("use_dora", useDora())
                .build();
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
        private @Nullable String baseModel;
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
         * Sets how A is drawn.
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
         * Takes all settings of a saved config.
         *
         * @param peft a config of PEFT type LORA
         * @return this builder
         * @throws AdapterConfigException if a setting is malformed or not supported
         */
        public T read(PeftConfig peft) {
            peft.requireUnused("bias", Set.of("\"none\""));
            peft.requireUnused("fan_in_fan_out", Set.of("false"));
            peft.requireUnused("modules_to_save", Set.of("[]"));
            peft.requireUnused("init_lora_weights", KEEPS_THE_BASE);
            peft.requireUnused("lora_bias", Set.of("false"));
            peft.requireUnused("target_parameters", Set.of("[]"));
            peft.requireUnused("trainable_token_indices", Set.of("[]"));
            peft.requireUnused("layer_replication", Set.of("[]"));
            peft.requireUnused("alora_invocation_tokens", Set.of());
            peft.requireUnused("use_qalora", Set.of("false"));
            peft.requireUnused("use_bdlora", Set.of("false"));
            saved = true;
            return setTargetModules(TargetModules.read(peft))
                    .setRank(peft.integer("r").orElse(8))
                    .optAlpha(peft.number("lora_alpha").orElse(8.0))
                    .optRsLora(peft.flag("use_rslora"))
                    .optDropout(peft.number("lora_dropout").orElse(0.0))
                    .optInit(LoraInit.ofPeft(String.valueOf(peft.json().get("init_lora_weights"))))
                    .optRankPattern(peft.wholeNumbers("rank_pattern"))
                    .optAlphaPattern(peft.numbers("alpha_pattern"))
                    .optBaseModel(peft.string("base_model_name_or_path").orElse(null));
        }

        /** Checks the settings; a subclass calls this first in {@code build()}. */
        protected void check() {
            requireRank("rank", rank);
            rankPattern.forEach((key, r) -> requireRank("rank_pattern \"" + key + "\"", r));
            if (!(dropout >= 0 && dropout < 1)) {
                throw new AdapterConfigException(
                        "dropout must be at least 0 and below 1, but is " + dropout);
            }
            if (Double.isInfinite(alpha)) {
                throw new AdapterConfigException("alpha must be finite, but is " + alpha);
            }
        }

        private static void requireRank(String what, int rank) {
            if (rank < 1 || rank > LARGEST_RANK) {
                throw new AdapterConfigException(
                        what + " must be from 1 to " + LARGEST_RANK + ", but is " + rank);
            }
        }
    }
}
