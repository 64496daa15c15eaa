package io.peft4j.ia3;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.TrainedInFull;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * (IA)³, Infused Adapter by Inhibiting and Amplifying Inner Activations: a trained vector l of
 * factors, one for each output of a layer or for each input of a feed-forward layer (Liu et al.,
 * arXiv:2205.05638).
 *
 * <pre>
 *   y = l ⊙ (x · Wᵀ + b)   merged: W' = diag(l) · W,  b' = l ⊙ b
 *   y = (l ⊙ x) · Wᵀ + b   in a feed-forward module; merged: W' = W · diag(l)
 * </pre>
 *
 * <p>The paper scales keys, values and what the feed-forward network's last layer is given:
 *
 * <pre>{@code
 * Ia3Config.builder()
 *         .setTargetModules("k_proj", "v_proj", "down_proj")
 *         .optFeedforwardModules("down_proj")
 *         .build()
 * }</pre>
 *
 * <p>It adapts linear layers and convolutions. Factors of adapters that are active together
 * multiply.
 */
public final class Ia3Config implements AdapterConfig {

    /** PEFT's name of the family. */
    public static final String PEFT_TYPE = "IA3";

    static final String METHOD = "ia3";

    private final TargetModules targetModules;
    private final FeedforwardModules feedforward;
    private final boolean initWeights;
    private final boolean fanInFanOut;
    private final @Nullable String baseModel;
    private final @Nullable String taskType;
    private final boolean saved;

    private Ia3Config(Builder builder) {
        TargetModules targets =
                Objects.requireNonNull(
                        builder.targets, "set target modules, such as \"all-linear\"");
        targetModules =
                builder.modulesToSave.isEmpty()
                        ? targets
                        : targets.withModulesToSave(builder.modulesToSave);
        feedforward = builder.feedforward;
        initWeights = builder.initWeights;
        fanInFanOut = builder.fanInFanOut;
        baseModel = builder.baseModel;
        taskType = builder.taskType;
        saved = builder.saved;
    }

    @Override
    public String method() {
        return METHOD;
    }

    @Override
    public TargetModules targetModules() {
        return targetModules;
    }

    /**
     * Tells whether the inputs of a module are scaled, and not its outputs.
     *
     * @param module the dotted module path
     * @return whether PEFT's {@code feedforward_modules} mean it
     */
    public boolean isFeedforward(String module) {
        return feedforward.matches(module);
    }

    /**
     * Returns whether the factors of a new adapter are ones, which change nothing.
     *
     * @return PEFT's {@code init_ia3_weights}; if false they are drawn from N(0, 1)
     */
    public boolean initWeights() {
        return initWeights;
    }

    @Override
    public boolean fanInFanOut() {
        return fanInFanOut;
    }

    @Override
    public TrainedInFull trainedInFull() {
        List<String> modules = targetModules.modulesToSave();
        return new TrainedInFull(TrainedInFull.Bias.NONE, modules, Map.of());
    }

    /**
     * Refuses sites that are no linear layer and no convolution, as PEFT does, and feed-forward
     * modules that are none of the sites, which is most often a mistake; only settings of a saved
     * adapter may hold some, as in PEFT.
     */
    @Override
    public void validate(List<Site> sites) {
        sites.forEach(site -> SiteCheck.requireFits(site, isFeedforward(site.path())));
        if (!saved) {
            feedforward.requireMatch(sites.stream().map(Site::path).toList());
        }
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        return new Ia3State(site, isFeedforward(site.path()), initWeights, owner, seed);
    }

    @Override
    public PeftConfig toPeft() {
        PeftConfig.Builder peft = targetModules.writeTo(PeftConfig.builder(PEFT_TYPE));
        feedforward.writeTo(peft);
        return peft.without("layers_to_transform")
                .without("layers_pattern")
                .opt("task_type", taskType)
                .opt("base_model_name_or_path", baseModel)
                .opt("revision", null)
                .opt("inference_mode", true)
                .opt("fan_in_fan_out", fanInFanOut)
                .opt("init_ia3_weights", initWeights)
                .build();
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link Ia3Config}. A setting that contradicts another is refused with both. */
    public static final class Builder {

        private @Nullable TargetModules targets;
        private FeedforwardModules feedforward = FeedforwardModules.NONE;
        private List<String> modulesToSave = List.of();
        private boolean initWeights = true;
        private boolean fanInFanOut;
        private @Nullable String baseModel;
        private @Nullable String taskType;
        private boolean saved;

        private Builder() {}

        /**
         * Sets which modules to adapt (required).
         *
         * @param modules the targets
         * @return this builder
         */
        public Builder setTargetModules(TargetModules modules) {
            targets = modules;
            return this;
        }

        /**
         * Sets which modules to adapt (required).
         *
         * @param names module paths or dotted ends of paths; or one text in any form that {@link
         *     TargetModules#parse} takes, such as {@code all-linear}
         * @return this builder
         */
        public Builder setTargetModules(String... names) {
            return setTargetModules(
                    names.length == 1 ? TargetModules.parse(names[0]) : TargetModules.of(names));
        }

        /**
         * Sets which of them have their inputs scaled instead of their outputs; none unless set.
         * Where the targets are names, these must be among them.
         *
         * @param names ends of module paths, also within a word, as in PEFT; or one text of {@code
         *     re:} and a regular expression for whole paths
         * @return this builder
         */
        public Builder optFeedforwardModules(String... names) {
            feedforward = FeedforwardModules.of(List.of(names));
            return this;
        }

        /**
         * Sets how the factors begin; as ones unless set.
         *
         * @param ones true for ones, which change nothing, false for N(0, 1)
         * @return this builder
         */
        public Builder optInitWeights(boolean ones) {
            initWeights = ones;
            return this;
        }

        /**
         * Says that weights which are no linear layer's are stored (in, out), as those of GPT-2's
         * {@code Conv1D}: PEFT's {@code fan_in_fan_out}.
         *
         * @param inOut whether they are
         * @return this builder
         */
        public Builder optFanInFanOut(boolean inOut) {
            fanInFanOut = inOut;
            return this;
        }

        /**
         * Sets modules that are trained whole and saved with the adapter, such as a classifier's
         * head: PEFT's {@code modules_to_save}.
         *
         * @param modules paths or dotted ends of paths
         * @return this builder
         */
        public Builder optModulesToSave(String... modules) {
            modulesToSave = List.of(modules);
            return this;
        }

        /**
         * Names the base model in the saved config.
         *
         * @param nameOrPath a hub name or a path
         * @return this builder
         */
        public Builder optBaseModel(@Nullable String nameOrPath) {
            baseModel = nameOrPath;
            return this;
        }

        /**
         * Says in the saved config what the model is for, in PEFT's words.
         *
         * @param type such as {@code CAUSAL_LM} or {@code SEQ_CLS}; null, unless set
         * @return this builder
         */
        public Builder optTaskType(@Nullable String type) {
            taskType = type;
            return this;
        }

        /**
         * Takes all settings of a saved config.
         *
         * @param peft a config of PEFT type IA3
         * @return this builder
         * @throws AdapterConfigException if a setting is malformed
         */
        public Builder read(PeftConfig peft) {
            saved = true;
            feedforward = FeedforwardModules.read(peft);
            boolean given = peft.has("init_ia3_weights");
            return setTargetModules(TargetModules.read(peft))
                    .optInitWeights(!given || peft.flag("init_ia3_weights"))
                    .optFanInFanOut(peft.flag("fan_in_fan_out"))
                    .optTaskType(peft.string("task_type").orElse(null))
                    .optBaseModel(peft.string("base_model_name_or_path").orElse(null));
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws AdapterConfigException if feed-forward modules are no targets, or the targets
         *     have layer numbers, which PEFT's (IA)³ does not know
         */
        public Ia3Config build() {
            Ia3Config config = new Ia3Config(this);
            PeftConfig written = config.targetModules.writeTo(PeftConfig.builder("")).build();
            if (written.has("layers_to_transform")) {
                throw new AdapterConfigException(
                        "(IA)³ has no layers_to_transform, but the targets have "
                                + written.integers("layers_to_transform")
                                + "; name the modules by a regular expression instead");
            }
            if (written.json().get("target_modules").isJsonArray()) {
                feedforward.requireAmong(written.strings("target_modules"));
            }
            return config;
        }
    }
}
