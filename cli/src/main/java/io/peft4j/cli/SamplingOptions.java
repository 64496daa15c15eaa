package io.peft4j.cli;

import io.peft4j.models.GenerationConfig;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about how tokens are chosen, and when there are enough. */
final class SamplingOptions {

    private static final int DEFAULT_TOKENS = 128;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "The longest continuation (default: 128, or what the context leaves).")
    private @Nullable Integer maxNewTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "Samples with this temperature; 0 is greedy (default: ${DEFAULT-VALUE}).")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description =
                    "Samples from the K likeliest tokens; 0 means all (default: ${DEFAULT-VALUE}).")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description =
                    "Samples from the likeliest tokens that together have probability P"
                            + " (default: ${DEFAULT-VALUE}).")
    private double topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            defaultValue = "0",
            description =
                    "Samples from the tokens with at least P times the likeliest one's probability"
                            + " (default: ${DEFAULT-VALUE}).")
    private double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            defaultValue = "1",
            description =
                    "Makes tokens that were there already less likely; 1 means no penalty"
                            + " (default: ${DEFAULT-VALUE}).")
    private double repetitionPenalty;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "Ends the continuation before this text; may be given several times.")
    private List<String> stop = List.of();

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description =
                    "Decides what is sampled; row i of a batch has seed N + i (default:"
                            + " ${DEFAULT-VALUE}).")
    private long seed;

    void check() {
        if (maxNewTokens != null) {
            Checks.atLeast("--max-new-tokens", maxNewTokens, 1);
        }
        Checks.notNegative("--temperature", temperature);
        Checks.atLeast("--top-k", topK, 0);
        if (!(topP > 0 && topP <= 1)) {
            throw new UsageException("--top-p must be above 0 and at most 1, but is " + topP);
        }
        if (!(minP >= 0 && minP <= 1)) {
            throw new UsageException("--min-p must be from 0 to 1, but is " + minP);
        }
        if (!(repetitionPenalty > 0) || Double.isInfinite(repetitionPenalty)) {
            throw new UsageException(
                    "--repetition-penalty must be a number above 0, but is " + repetitionPenalty);
        }
        if (stop.contains("")) {
            throw new UsageException("--stop must not be empty");
        }
    }

    /**
     * Makes the settings.
     *
     * @param left how many tokens the context has behind the longest prompt
     * @param row the first row of the batch
     */
    GenerationConfig config(int left, int row, List<Long> eosIds) {
        int longest =
                maxNewTokens != null ? maxNewTokens : Math.max(1, Math.min(DEFAULT_TOKENS, left));
        return GenerationConfig.builder()
                .optMaxNewTokens(longest)
                .optTemperature(temperature)
                .optTopK(topK)
                .optTopP(topP)
                .optMinP(minP)
                .optRepetitionPenalty(repetitionPenalty)
                .optStopStrings(stop)
                .optSeed(seed + row)
                .optEosIds(eosIds)
                .build();
    }
}
