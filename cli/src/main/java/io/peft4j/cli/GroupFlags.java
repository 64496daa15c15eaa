package io.peft4j.cli;

import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.online.group.GroupConfig;
import io.peft4j.tuning.online.group.GrpoConfig;
import io.peft4j.tuning.online.group.GrpoLossType;
import io.peft4j.tuning.online.group.RlooConfig;
import io.peft4j.tuning.online.group.ScaleRewards;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags of the algorithms that compare several answers to a prompt, under TRL's names. */
final class GroupFlags {

    static final String GRPO = "grpo";
    static final String RLOO = "rloo";

    @Option(
            names = "--num-generations",
            paramLabel = "K",
            description =
                    "grpo, rloo: how many answers to a prompt are compared (default: 8 of grpo, 2"
                            + " of rloo).")
    private @Nullable Integer numGenerations;

    @Option(
            names = "--num-iterations",
            paramLabel = "N",
            description =
                    "grpo, rloo: how often the optimizer moves on the same answers (default: 1).")
    private @Nullable Integer numIterations;

    @Option(
            names = "--beta",
            paramLabel = "B",
            description =
                    "grpo, rloo: how strongly the policy is held to the reference; at 0 there is"
                            + " none (default: 0 of grpo, 0.05 of rloo).")
    private @Nullable Double beta;

    @Option(
            names = "--epsilon",
            paramLabel = "E",
            description =
                    "grpo, rloo: how far the ratio of probabilities may be from 1 (default: 0.2).")
    private @Nullable Double epsilon;

    @Option(
            names = "--epsilon-high",
            paramLabel = "E",
            description = "grpo, rloo: how far it may be above 1 (default: --epsilon).")
    private @Nullable Double epsilonHigh;

    @Option(
            names = "--mask-truncated-completions",
            description = "grpo, rloo: does not learn from answers cut at --max-new-tokens.")
    private boolean maskTruncated;

    @Option(
            names = "--loss-type",
            paramLabel = "NAME",
            description =
                    "grpo: how tokens are weighed, grpo, bnpo, dr_grpo or dapo (default: dapo).")
    private @Nullable String lossType;

    @Option(
            names = "--scale-rewards",
            paramLabel = "BY",
            description =
                    "grpo: whose standard deviation advantages are divided by, group, batch or none"
                            + " (default: group).")
    private @Nullable String scaleRewards;

    @Option(
            names = "--importance-sampling-level",
            paramLabel = "LEVEL",
            description =
                    "grpo: token, or sequence for one ratio of a whole answer (default: token).")
    private @Nullable String level;

    @Option(
            names = "--no-bias-correction-kl",
            description = "grpo: does not multiply the KL term by the ratio.")
    private boolean notCorrected;

    @Option(
            names = "--normalize-advantages",
            description = "rloo: gives a step's advantages mean 0 and standard deviation 1.")
    private boolean normalizeAdvantages;

    @Option(
            names = "--reward-clip-range",
            paramLabel = "X",
            split = ",",
            description = "rloo: the least and the greatest reward, with a comma between them.")
    private @Nullable List<Double> rewardClipRange;

    /** Refuses flags that another algorithm has. */
    void check(String algorithm) {
        boolean grpo = algorithm.equals(GRPO);
        boolean rloo = algorithm.equals(RLOO);
        only(grpo || rloo, "--num-generations", numGenerations != null, "grpo or rloo");
        only(grpo || rloo, "--num-iterations", numIterations != null, "grpo or rloo");
        only(grpo || rloo, "--beta", beta != null, "grpo or rloo");
        only(grpo || rloo, "--epsilon", epsilon != null, "grpo or rloo");
        only(grpo || rloo, "--epsilon-high", epsilonHigh != null, "grpo or rloo");
        only(grpo || rloo, "--mask-truncated-completions", maskTruncated, "grpo or rloo");
        only(grpo, "--loss-type", lossType != null, GRPO);
        only(grpo, "--scale-rewards", scaleRewards != null, GRPO);
        only(grpo, "--importance-sampling-level", level != null, GRPO);
        only(grpo, "--no-bias-correction-kl", notCorrected, GRPO);
        only(rloo, "--normalize-advantages", normalizeAdvantages, RLOO);
        only(rloo, "--reward-clip-range", rewardClipRange != null, RLOO);
    }

    private static void only(boolean fits, String flag, boolean given, String algorithm) {
        if (given && !fits) {
            throw new UsageException(flag + " needs --algorithm " + algorithm);
        }
    }

    /**
     * Builds the settings; a contradiction is one of flags.
     *
     * @param algorithm grpo or rloo
     * @param generation how to sample
     * @param evaluation how to answer held-out prompts
     * @param sync how the reference follows the policy
     */
    GroupConfig config(
            String algorithm,
            GenerationConfig generation,
            GenerationConfig evaluation,
            Optional<ReferenceSync> sync) {
        try {
            return algorithm.equals(GRPO)
                    ? grpo(common(GrpoConfig.builder(), generation, evaluation, sync))
                    : rloo(common(RlooConfig.builder(), generation, evaluation, sync));
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }

    private <B extends GroupConfig.Builder<B>> B common(
            B builder,
            GenerationConfig generation,
            GenerationConfig evaluation,
            Optional<ReferenceSync> sync) {
        builder.optGeneration(generation)
                .optEvalGeneration(evaluation)
                .optMaskTruncatedCompletions(maskTruncated);
        Optional.ofNullable(numGenerations).ifPresent(builder::optNumGenerations);
        Optional.ofNullable(numIterations).ifPresent(builder::optNumIterations);
        Optional.ofNullable(beta).ifPresent(builder::optBeta);
        Optional.ofNullable(epsilon).ifPresent(builder::optEpsilon);
        Optional.ofNullable(epsilonHigh).ifPresent(builder::optEpsilonHigh);
        sync.ifPresent(builder::optReferenceSync);
        return builder;
    }

    private GrpoConfig grpo(GrpoConfig.Builder builder) {
        Optional.ofNullable(lossType)
                .ifPresent(name -> builder.optLossType(GrpoLossType.ofTrlName(name)));
        Optional.ofNullable(scaleRewards)
                .ifPresent(name -> builder.optScaleRewards(ScaleRewards.ofTrlName(name)));
        if (level != null && !level.equals("token") && !level.equals("sequence")) {
            throw new UsageException(
                    "--importance-sampling-level must be token or sequence, but is \""
                            + level
                            + "\"");
        }
        return builder.optSequenceLevel("sequence".equals(level))
                .optUseBiasCorrectionKl(!notCorrected)
                .build();
    }

    private RlooConfig rloo(RlooConfig.Builder builder) {
        if (rewardClipRange != null) {
            if (rewardClipRange.size() != 2) {
                throw new UsageException(
                        "--reward-clip-range must be two numbers with a comma between them, but is "
                                + rewardClipRange);
            }
            builder.optRewardClipRange(rewardClipRange.get(0), rewardClipRange.get(1));
        }
        return builder.optNormalizeAdvantages(normalizeAdvantages).build();
    }
}
