package io.peft4j.tuning.preference;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.ReferenceSync;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The settings of {@link DpoTrainer}, under TRL's names and with its defaults. */
public final class DpoConfig {

    private final double beta;
    private final double labelSmoothing;
    private final List<LossType> lossTypes;
    private final List<Double> lossWeights;
    private final boolean precompute;
    private final @Nullable Path cache;
    private final @Nullable ReferenceSync sync;

    private DpoConfig(Builder builder) {
        beta = builder.beta;
        labelSmoothing = builder.labelSmoothing;
        lossTypes = builder.lossTypes;
        lossWeights =
                builder.lossWeights.isEmpty()
                        ? lossTypes.stream().map(type -> 1.0).toList()
                        : builder.lossWeights;
        precompute = builder.precompute;
        cache = builder.cache;
        sync = builder.sync;
    }

    /**
     * Returns how strongly the policy is held to the reference.
     *
     * @return β
     */
    public double beta() {
        return beta;
    }

    /**
     * Tells whether the reference's log-probabilities are computed before training.
     *
     * @return whether they are
     */
    public boolean precomputeReferenceLogProbs() {
        return precompute;
    }

    /**
     * Returns where computed log-probabilities of the reference are kept.
     *
     * @return the directory; empty for the training's output
     */
    public Optional<Path> referenceCache() {
        return Optional.ofNullable(cache);
    }

    /**
     * Returns how the reference follows the policy.
     *
     * @return empty if it never moves
     */
    public Optional<ReferenceSync> sync() {
        return Optional.ofNullable(sync);
    }

    /**
     * Computes the loss of a pair: the weighted sum of all loss types.
     *
     * @param ratios what policy and reference say of it
     * @return the loss with its slopes
     */
    public PairLoss loss(PairRatios ratios) {
        PairLoss sum = PairLoss.ZERO;
        for (int i = 0; i < lossTypes.size(); i++) {
            PairLoss one = lossTypes.get(i).of(ratios, beta, labelSmoothing);
            sum = sum.plus(one, lossWeights.get(i));
        }
        return sum;
    }

    /** Returns what a resumed run must share. */
    Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put(
                "loss_type",
                lossTypes.stream().map(LossType::trlName).collect(Collectors.joining(" ")));
        settings.put(
                "loss_weights",
                lossWeights.stream().map(String::valueOf).collect(Collectors.joining(" ")));
        settings.put("beta", String.valueOf(beta));
        settings.put("label_smoothing", String.valueOf(labelSmoothing));
        settings.put("precompute_ref_log_probs", String.valueOf(precompute));
        sync().ifPresent(
                        s -> {
                            settings.put("ref_model_mixup_alpha", String.valueOf(s.mixupAlpha()));
                            settings.put("ref_model_sync_steps", String.valueOf(s.steps()));
                        });
        return settings;
    }

    /**
     * Creates a builder.
     *
     * @return the builder, with TRL's defaults
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link DpoConfig}. */
    public static final class Builder {

        private double beta = 0.1;
        private double labelSmoothing;
        private List<LossType> lossTypes = List.of(LossType.SIGMOID);
        private List<Double> lossWeights = List.of();
        private boolean precompute;
        private @Nullable Path cache;
        private @Nullable ReferenceSync sync;

        private Builder() {}

        /**
         * Sets β, which holds the policy to the reference: the larger, the closer. For {@link
         * LossType#IPO} it is the τ of the paper.
         *
         * @param strength 0.1 unless set
         * @return this builder
         */
        public Builder optBeta(double strength) {
            beta = strength;
            return this;
        }

        /**
         * Sets how often a preference is taken to be the wrong way round, for {@link
         * LossType#SIGMOID}, {@link LossType#ROBUST} and {@link LossType#EXO_PAIR}.
         *
         * @param share 0 unless set; below 0.5
         * @return this builder
         */
        public Builder optLabelSmoothing(double share) {
            labelSmoothing = share;
            return this;
        }

        /**
         * Sets the losses, which are added.
         *
         * @param types {@link LossType#SIGMOID} unless set
         * @return this builder
         */
        public Builder optLossTypes(List<LossType> types) {
            lossTypes = List.copyOf(types);
            return this;
        }

        /**
         * Sets the weight of each loss.
         *
         * @param weights 1 each unless set
         * @return this builder
         */
        public Builder optLossWeights(List<Double> weights) {
            lossWeights = List.copyOf(weights);
            return this;
        }

        /**
         * Sets whether the reference's log-probabilities of all pairs are computed before training
         * and kept in a file, so that a step has no reference pass and a second training on the
         * same data has none at all.
         *
         * @param before false unless set
         * @return this builder
         */
        public Builder optPrecomputeReferenceLogProbs(boolean before) {
            precompute = before;
            return this;
        }

        /**
         * Sets where these are kept, such that several trainings find them.
         *
         * @param directory the training's output unless set
         * @return this builder
         */
        public Builder optReferenceCache(Path directory) {
            cache = directory;
            return this;
        }

        /**
         * Has the reference follow the policy: TRL's {@code sync_ref_model}.
         *
         * @param how it follows; never unless set
         * @return this builder
         */
        public Builder optSync(ReferenceSync how) {
            sync = how;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range, or two contradict
         */
        public DpoConfig build() {
            Preconditions.checkArgument(
                    beta > 0 && Double.isFinite(beta), "expected a beta above 0, found " + beta);
            Preconditions.checkArgument(
                    labelSmoothing >= 0 && labelSmoothing < 0.5,
                    "expected a label smoothing from 0 to below 0.5, found " + labelSmoothing);
            Preconditions.checkArgument(!lossTypes.isEmpty(), "expected one loss type at least");
            Preconditions.checkArgument(
                    lossWeights.isEmpty() || lossWeights.size() == lossTypes.size(),
                    "expected a weight for each of "
                            + lossTypes.size()
                            + " loss types, found "
                            + lossWeights.size());
            Preconditions.checkArgument(
                    !lossTypes.contains(LossType.EXO_PAIR) || labelSmoothing > 0,
                    "exo_pair needs a label smoothing above 0, such as 0.001");
            Preconditions.checkArgument(
                    sync == null || !precompute,
                    "a reference that follows the policy cannot be computed before training:"
                            + " choose one of both");
            return new DpoConfig(this);
        }
    }
}
