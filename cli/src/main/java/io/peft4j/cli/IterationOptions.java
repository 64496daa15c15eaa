package io.peft4j.cli;

import io.peft4j.models.ModelConfig;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.preference.IterativeDpoConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Flags of dpo about answers that it samples itself, in the place of pairs. */
final class IterationOptions {

    private static final int ITERATIONS = 3;
    private static final int GENERATIONS = 8;

    @Option(
            names = "--prompts",
            paramLabel = "F.jsonl",
            description =
                    "In the place of --data: prompts as JSON Lines, {\"prompt\": …}, whose answers"
                            + " are sampled and judged; the best and the worst are a pair.")
    private @Nullable Path prompts;

    @Option(
            names = "--iterations",
            paramLabel = "N",
            description = "How often it samples answers and trains on them (default: 3).")
    private @Nullable Integer iterations;

    @Option(
            names = "--num-generations",
            paramLabel = "K",
            description = "How many answers each prompt gets in an iteration (default: 8).")
    private @Nullable Integer numGenerations;

    @Option(
            names = "--generation-batch-size",
            paramLabel = "N",
            description = "Answers that are sampled together (default: 8).")
    private @Nullable Integer generationBatchSize;

    @Option(
            names = "--keep-first-reference",
            description =
                    "Keeps the reference that the first iteration has; else each begins with what"
                            + " the policy is then.")
    private boolean keepFirstReference;

    @Mixin private RewardOptions rewards;
    @Mixin private SamplingOptions sampling;

    boolean areGiven() {
        return prompts != null;
    }

    Path prompts() {
        return Objects.requireNonNull(prompts);
    }

    RewardOptions rewards() {
        return rewards;
    }

    /** How many answers are sampled together, and judged by a reward model. */
    int batchSize() {
        return generationBatchSize == null ? GENERATIONS : generationBatchSize;
    }

    void check() {
        if (prompts == null) {
            requireAbsent("--iterations", iterations != null);
            requireAbsent("--num-generations", numGenerations != null);
            requireAbsent("--generation-batch-size", generationBatchSize != null);
            requireAbsent("--keep-first-reference", keepFirstReference);
            requireAbsent("--reward or --reward-adapter", rewards.areGiven());
            return;
        }
        Checks.file("--prompts", prompts);
        Checks.optionalAtLeast("--iterations", iterations, 1);
        Checks.optionalAtLeast("--num-generations", numGenerations, 2);
        Checks.optionalAtLeast("--generation-batch-size", generationBatchSize, 1);
        sampling.preferTemperature(1);
        sampling.check();
        sampling.requireChance("--prompts");
        rewards.check();
    }

    private static void requireAbsent(String flag, boolean given) {
        if (given) {
            throw new UsageException(flag + " needs --prompts");
        }
    }

    List<Prompt> read(LoadedModel loaded, PrintWriter err) throws IOException {
        return sampling.prompts(prompts(), loaded, err);
    }

    IterativeDpoConfig config(
            LoadedModel loaded, List<Prompt> asked, int maxLength, PairOptions pairs) {
        ModelConfig model = loaded.model().config();
        return IterativeDpoConfig.builder()
                .optIterations(iterations == null ? ITERATIONS : iterations)
                .optNumGenerations(numGenerations == null ? GENERATIONS : numGenerations)
                .optGeneration(sampling.config(loaded, asked))
                .optGenerationBatchSize(batchSize())
                .optKeepFirstReference(keepFirstReference)
                .optMaxLength(Math.min(maxLength, model.contextLength()))
                .optTruncation(pairs.truncation())
                .build();
    }

    boolean keepsFirstReference() {
        return keepFirstReference;
    }
}
