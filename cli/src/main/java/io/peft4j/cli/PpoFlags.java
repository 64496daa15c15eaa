package io.peft4j.cli;

import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.online.ppo.KlEstimator;
import io.peft4j.tuning.online.ppo.PpoConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags of proximal policy optimisation with a value function, under TRL's names. */
final class PpoFlags {

    static final String PPO = "ppo";

    @Option(
            names = "--num-ppo-epochs",
            paramLabel = "N",
            description = "ppo: how often a step goes through its answers (default: 4).")
    private @Nullable Integer epochs;

    @Option(
            names = "--num-mini-batches",
            paramLabel = "N",
            description =
                    "ppo: in how many parts, after each of which the optimizer moves (default:"
                            + " 1).")
    private @Nullable Integer miniBatches;

    @Option(
            names = "--kl-coef",
            paramLabel = "X",
            description = "ppo: how strongly the policy is held to the reference (default: 0.05).")
    private @Nullable Double klCoef;

    @Option(
            names = "--kl-estimator",
            paramLabel = "NAME",
            description = "ppo: how their divergence is estimated, k1 or k3 (default: k1).")
    private @Nullable String klEstimator;

    @Option(
            names = "--kl-in-loss",
            description =
                    "ppo: makes the divergence a part of the loss; else it is taken off the"
                            + " rewards. It needs --kl-estimator k3.")
    private boolean klInLoss;

    @Option(
            names = "--cliprange",
            paramLabel = "X",
            description = "ppo: how far the ratio of probabilities may be from 1 (default: 0.2).")
    private @Nullable Double clipRange;

    @Option(
            names = "--vf-coef",
            paramLabel = "X",
            description = "ppo: what the value loss is multiplied by (default: 0.1).")
    private @Nullable Double valueCoef;

    @Option(
            names = "--cliprange-value",
            paramLabel = "X",
            description = "ppo: how far a value may be from what it was (default: 0.2).")
    private @Nullable Double valueClipRange;

    @Option(
            names = "--gamma",
            paramLabel = "X",
            description = "ppo: how much a reward counts that comes a token later (default: 1).")
    private @Nullable Double gamma;

    @Option(
            names = "--lam",
            paramLabel = "X",
            description = "ppo: lambda of the advantages' estimation (default: 0.95).")
    private @Nullable Double lambda;

    @Option(
            names = "--whiten-rewards",
            description = "ppo: brings a step's rewards to variance 1 first.")
    private boolean whitenRewards;

    @Option(
            names = "--missing-eos-penalty",
            paramLabel = "X",
            description =
                    "ppo: what an answer loses that was cut at --max-new-tokens (default: none).")
    private @Nullable Double missingEosPenalty;

    /** Refuses flags that another algorithm does not have. */
    void check(String algorithm) {
        if (!algorithm.equals(PPO)) {
            given().forEach(
                            (flag, isGiven) -> {
                                if (isGiven) {
                                    throw new UsageException(flag + " needs --algorithm ppo");
                                }
                            });
        }
    }

    private Map<String, Boolean> given() {
        Map<String, Boolean> given = new LinkedHashMap<>();
        given.put("--num-ppo-epochs", epochs != null);
        given.put("--num-mini-batches", miniBatches != null);
        given.put("--kl-coef", klCoef != null);
        given.put("--kl-estimator", klEstimator != null);
        given.put("--kl-in-loss", klInLoss);
        given.put("--cliprange", clipRange != null);
        given.put("--vf-coef", valueCoef != null);
        given.put("--cliprange-value", valueClipRange != null);
        given.put("--gamma", gamma != null);
        given.put("--lam", lambda != null);
        given.put("--whiten-rewards", whitenRewards);
        given.put("--missing-eos-penalty", missingEosPenalty != null);
        return given;
    }

    /**
     * Builds the settings; a contradiction is one of flags.
     *
     * @param generation how to sample
     * @param evaluation how to answer held-out prompts
     * @param sync how the reference follows the policy
     */
    PpoConfig config(
            GenerationConfig generation,
            GenerationConfig evaluation,
            Optional<ReferenceSync> sync) {
        PpoConfig.Builder builder =
                PpoConfig.builder()
                        .optGeneration(generation)
                        .optEvalGeneration(evaluation)
                        .optKlInLoss(klInLoss)
                        .optWhitenRewards(whitenRewards);
        Optional.ofNullable(epochs).ifPresent(builder::optEpochs);
        Optional.ofNullable(miniBatches).ifPresent(builder::optMiniBatches);
        Optional.ofNullable(klCoef).ifPresent(builder::optKlCoef);
        Optional.ofNullable(clipRange).ifPresent(builder::optClipRange);
        Optional.ofNullable(valueCoef).ifPresent(builder::optValueCoef);
        Optional.ofNullable(valueClipRange).ifPresent(builder::optValueClipRange);
        Optional.ofNullable(gamma).ifPresent(builder::optGamma);
        Optional.ofNullable(lambda).ifPresent(builder::optLambda);
        Optional.ofNullable(missingEosPenalty).ifPresent(builder::optMissingEosPenalty);
        sync.ifPresent(builder::optSync);
        try {
            Optional.ofNullable(klEstimator)
                    .map(KlEstimator::ofTrlName)
                    .ifPresent(builder::optKlEstimator);
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }
}
