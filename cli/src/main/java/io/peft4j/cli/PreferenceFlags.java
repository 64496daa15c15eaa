package io.peft4j.cli;

import io.peft4j.tuning.preference.DpoConfig;
import io.peft4j.tuning.preference.LossType;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Flags about the loss of preferences and about the reference, under TRL's names. */
final class PreferenceFlags {

    @Option(
            names = "--beta",
            paramLabel = "B",
            defaultValue = "0.1",
            description =
                    "How strongly the policy is held to the reference (default: ${DEFAULT-VALUE}).")
    private double beta;

    @Option(
            names = "--loss-type",
            paramLabel = "NAMES",
            split = ",",
            defaultValue = "sigmoid",
            description =
                    "sigmoid, robust, hinge, ipo, sigmoid_norm, apo_zero, apo_down, bco_pair,"
                            + " nca_pair, sppo_hard or exo_pair; several with commas between them"
                            + " add up (default: ${DEFAULT-VALUE}).")
    private List<String> lossTypes;

    @Option(
            names = "--loss-weights",
            paramLabel = "X",
            split = ",",
            description = "A weight for each loss type (default: 1).")
    private @Nullable List<Double> lossWeights;

    @Option(
            names = "--label-smoothing",
            paramLabel = "E",
            defaultValue = "0",
            description =
                    "How often a preference is the wrong way round, 0 to below 0.5; for sigmoid"
                            + " (conservative DPO), robust and exo_pair (default:"
                            + " ${DEFAULT-VALUE}).")
    private double labelSmoothing;

    @Option(
            names = "--precompute-reference-log-probs",
            description =
                    "Asks the reference once, before training, and keeps the answers in a file, so"
                            + " that steps are faster, and later trainings on the same data, too.")
    private boolean precompute;

    @Option(
            names = "--reference-cache",
            paramLabel = "DIR",
            description = "Where these files are (default: --output).")
    private @Nullable Path cache;

    @Mixin private ReferenceSyncOptions sync;

    /** Builds the settings; a contradiction is one of flags. */
    DpoConfig config() {
        if (cache != null && !precompute) {
            throw new UsageException("--reference-cache needs --precompute-reference-log-probs");
        }
        try {
            DpoConfig.Builder builder =
                    DpoConfig.builder()
                            .optBeta(beta)
                            .optLossTypes(lossTypes.stream().map(LossType::ofTrlName).toList())
                            .optLossWeights(lossWeights == null ? List.of() : lossWeights)
                            .optLabelSmoothing(labelSmoothing)
                            .optPrecomputeReferenceLogProbs(precompute);
            if (cache != null) {
                builder.optReferenceCache(cache);
            }
            sync.sync().ifPresent(builder::optSync);
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }
}
