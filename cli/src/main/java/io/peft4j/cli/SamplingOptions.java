package io.peft4j.cli;

import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.online.PromptDataset;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about how tokens are chosen, and when there are enough. */
final class SamplingOptions {

    private static final int DEFAULT_TOKENS = 128;

    /** Unless a flag says so. */
    private double temperature;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "The longest continuation (default: 128, or what the context leaves).")
    private @Nullable Integer maxNewTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description =
                    "Samples with this temperature; 0 is greedy (default: 0, or 1 where several"
                            + " answers to a prompt are compared, or 0.7 of ppo).")
    private @Nullable Double givenTemperature;

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

    /** Sets the temperature that holds unless a flag gives one; before {@link #check}. */
    void preferTemperature(double preferred) {
        temperature = preferred;
    }

    void check() {
        if (givenTemperature != null) {
            temperature = givenTemperature;
        }
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
     * @param seed decides what is sampled; row i of a batch has seed + i
     */
    GenerationConfig config(int left, long seed, List<Long> eosIds) {
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
                .optSeed(seed)
                .optEosIds(eosIds)
                .build();
    }

    /** Refuses to take the likeliest tokens alone. */
    void requireChance(String flag) {
        if (temperature == 0) {
            throw new UsageException(
                    flag + " needs a --temperature above 0, or all answers are the same");
        }
    }

    /** Makes the settings for some prompts, whose seeds are the caller's affair. */
    GenerationConfig config(LoadedModel loaded, List<io.peft4j.tuning.online.Prompt> prompts) {
        int longest = prompts.stream().mapToInt(prompt -> prompt.ids().length).max().orElse(0);
        int left = loaded.model().config().contextLength() - longest;
        return config(left, 0, List.of());
    }

    /**
     * Reads prompts; those that leave no room for an answer are left out, and that is said.
     *
     * @param err takes what is said
     */
    List<io.peft4j.tuning.online.Prompt> prompts(Path file, LoadedModel loaded, PrintWriter err)
            throws IOException {
        int context = loaded.model().config().contextLength();
        int room = maxNewTokens == null ? 1 : maxNewTokens;
        if (room >= context) {
            throw new UsageException(
                    "--max-new-tokens must be below the model's context of "
                            + context
                            + " tokens, but is "
                            + room);
        }
        PromptDataset data = PromptDataset.read(file, loaded.requireTokenizer(), context - room);
        if (data.droppedRows() > 0) {
            err.println(
                    "peft4j: "
                            + file
                            + ": "
                            + data.droppedRows()
                            + " prompts are left out: they leave no room for "
                            + room
                            + " tokens in the context of "
                            + context);
        }
        return data.prompts();
    }
}
