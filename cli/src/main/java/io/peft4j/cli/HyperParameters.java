package io.peft4j.cli;

import io.peft4j.tuning.GradientCheckpointing;
import io.peft4j.tuning.LoraPlus;
import io.peft4j.tuning.Schedule;
import io.peft4j.tuning.TrainingConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about how to train, shared by train and compare. */
final class HyperParameters {

    private static final double LEARNING_RATE = 2e-4;
    private static final double LEARNING_RATE_OF_SHORT_RUN = 5e-3;
    static final long SEED = 42;

    private static final Set<String> SCHEDULERS = Set.of("constant", "linear", "cosine");

    @Option(
            names = "--learning-rate",
            paramLabel = "LR",
            description =
                    "The schedule's highest learning rate (default: 2e-4; of --method ia3: 3e-3; of"
                            + " dpo and ppo: 1e-5; of reward: 1e-4).")
    private @Nullable Double givenLearningRate;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Rows per forward pass (default: ${DEFAULT-VALUE}).")
    private int batchSize;

    @Option(
            names = "--gradient-accumulation",
            paramLabel = "N",
            defaultValue = "1",
            description = "Batches per optimizer step (default: ${DEFAULT-VALUE}).")
    private int gradientAccumulation;

    @Option(
            names = "--max-steps",
            paramLabel = "N",
            description = "Optimizer steps; the data starts again at its end. Wins over --epochs.")
    private @Nullable Integer maxSteps;

    @Option(
            names = "--epochs",
            paramLabel = "N",
            description = "Passes over the data (default: 1).")
    private @Nullable Double givenEpochs;

    @Option(
            names = "--warmup-steps",
            paramLabel = "N",
            defaultValue = "0",
            description =
                    "Steps in which the learning rate rises from --warmup-start (default:"
                            + " ${DEFAULT-VALUE}).")
    private int warmupSteps;

    @Option(
            names = "--warmup-start",
            paramLabel = "LR",
            defaultValue = "0",
            description = "The learning rate of the warm-up's first step (default: 0).")
    private double warmupStart;

    @Option(
            names = "--min-learning-rate",
            paramLabel = "LR",
            defaultValue = "0",
            description = "The learning rate that linear and cosine come down to (default: 0).")
    private double minLearningRate;

    @Option(
            names = "--adam-beta1",
            paramLabel = "B",
            defaultValue = "0.9",
            description = "AdamW's decay rate of the first moment (default: ${DEFAULT-VALUE}).")
    private double adamBeta1;

    @Option(
            names = "--adam-beta2",
            paramLabel = "B",
            defaultValue = "0.999",
            description = "AdamW's decay rate of the second moment (default: ${DEFAULT-VALUE}).")
    private double adamBeta2;

    @Option(
            names = "--adam-epsilon",
            paramLabel = "E",
            defaultValue = "1e-8",
            description =
                    "What AdamW adds to the root of the second moment (default: ${DEFAULT-VALUE}).")
    private double adamEpsilon;

    @Option(
            names = "--scheduler",
            paramLabel = "NAME",
            defaultValue = "linear",
            description = "constant, linear or cosine (default: ${DEFAULT-VALUE}).")
    private String scheduler;

    @Option(
            names = "--weight-decay",
            paramLabel = "W",
            defaultValue = "0",
            description = "AdamW's weight decay, on every tensor (default: ${DEFAULT-VALUE}).")
    private double weightDecay;

    @Option(
            names = "--loraplus-ratio",
            paramLabel = "X",
            description =
                    "LoRA+: the factors B and DoRA's magnitudes learn X times as fast as A (default:"
                            + " 1, without LoRA+).")
    private @Nullable Double loraPlusRatio;

    @Option(
            names = "--loraplus-lr-embedding",
            paramLabel = "LR",
            description =
                    "LoRA+: the highest learning rate of an embedding's factors (default: 1e-6).")
    private @Nullable Double loraPlusEmbedding;

    @Option(
            names = "--max-grad-norm",
            paramLabel = "X",
            defaultValue = "1.0",
            description =
                    "Clips gradients to this global norm; 0 means no clipping"
                            + " (default: ${DEFAULT-VALUE}).")
    private double maxGradNorm;

    @Option(
            names = "--max-length",
            paramLabel = "N",
            defaultValue = "1024",
            description =
                    "Cuts training rows to N tokens; what is longer is left out by reward, a pair,"
                            + " and by ppo, a prompt (default: ${DEFAULT-VALUE}).")
    private int maxLength;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description = "Decides every random number (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--no-shuffle", description = "Takes the rows in the file's order.")
    private boolean noShuffle;

    @Option(
            names = "--group-by-length",
            description =
                    "Puts rows of about the same length into a batch, which saves the time that"
                            + " padding takes; the longest come first.")
    private boolean groupByLength;

    @Option(
            names = "--gradient-checkpointing",
            paramLabel = "WHEN",
            defaultValue = "auto",
            description =
                    "on computes each layer again in backward, which needs less memory and about a"
                            + " third more time; off; or auto: on if a step would not fit without"
                            + " it (default: ${DEFAULT-VALUE}).")
    private String checkpointing;

    private double learningRate = LEARNING_RATE;
    private double defaultLearningRate = LEARNING_RATE;
    private double epochs = 1;

    void check() {
        learningRate = givenLearningRate == null ? learningRate : givenLearningRate;
        epochs = givenEpochs == null ? epochs : givenEpochs;
        Checks.notNegative("--learning-rate", learningRate);
        Checks.atLeast("--batch-size", batchSize, 1);
        Checks.atLeast("--gradient-accumulation", gradientAccumulation, 1);
        if (!(epochs > 0) || Double.isInfinite(epochs)) {
            throw new UsageException("--epochs must be a number above 0, but is " + epochs);
        }
        if (maxSteps != null) {
            Checks.atLeast("--max-steps", maxSteps, 1);
        }
        Checks.atLeast("--warmup-steps", warmupSteps, 0);
        if (!SCHEDULERS.contains(scheduler)) {
            throw new UsageException(
                    "--scheduler must be constant, linear or cosine, but is \"" + scheduler + "\"");
        }
        checkRates();
        checkBeta("--adam-beta1", adamBeta1);
        checkBeta("--adam-beta2", adamBeta2);
        Checks.notNegative("--adam-epsilon", adamEpsilon);
        Checks.notNegative("--weight-decay", weightDecay);
        checkLoraPlus();
        Checks.notNegative("--max-grad-norm", maxGradNorm);
        Checks.atLeast("--max-length", maxLength, 2);
        checkpointing();
    }

    /** What {@code --gradient-checkpointing} says. */
    GradientCheckpointing checkpointing() {
        try {
            return GradientCheckpointing.of(checkpointing);
        } catch (IllegalArgumentException e) {
            throw new UsageException(
                    "--gradient-checkpointing must be auto, on or off, but is \""
                            + checkpointing
                            + "\"",
                    e);
        }
    }

    private void checkRates() {
        Checks.notNegative("--warmup-start", warmupStart);
        Checks.notNegative("--min-learning-rate", minLearningRate);
        if (givenLearningRate != null && Math.max(warmupStart, minLearningRate) > learningRate) {
            throw new UsageException(
                    "--warmup-start and --min-learning-rate must be at most --learning-rate,"
                            + " but are "
                            + warmupStart
                            + " and "
                            + minLearningRate);
        }
        if (warmupStart > 0 && warmupSteps == 0) {
            throw new UsageException("--warmup-start needs --warmup-steps");
        }
        if (minLearningRate > 0 && scheduler.equals("constant")) {
            throw new UsageException(
                    "--min-learning-rate needs a --scheduler that comes down, linear or cosine");
        }
    }

    private static void checkBeta(String flag, double beta) {
        if (!(beta >= 0 && beta < 1)) {
            throw new UsageException(flag + " must be at least 0 and below 1, but is " + beta);
        }
    }

    private void checkLoraPlus() {
        if (loraPlusRatio == null) {
            if (loraPlusEmbedding != null) {
                throw new UsageException("--loraplus-lr-embedding needs --loraplus-ratio");
            }
            return;
        }
        if (!(loraPlusRatio > 0) || Double.isInfinite(loraPlusRatio)) {
            throw new UsageException(
                    "--loraplus-ratio must be a number above 0, but is " + loraPlusRatio);
        }
        if (loraPlusEmbedding != null) {
            Checks.notNegative("--loraplus-lr-embedding", loraPlusEmbedding);
        }
        if (learningRate == 0) {
            throw new UsageException("--loraplus-ratio needs a --learning-rate above 0");
        }
    }

    /** Refuses LoRA+ where there is no adapter. */
    void requireNoLoraPlus(String reason) {
        if (loraPlusRatio != null) {
            throw new UsageException("--loraplus-ratio cannot be given: " + reason);
        }
    }

    /** Another learning rate, if no flag says one. */
    void preferLearningRate(double rate) {
        if (givenLearningRate == null) {
            learningRate = rate;
        }
    }

    /** Other defaults, for what no flag says: a small model that learns fast, in little time. */
    void preferShortRun() {
        defaultLearningRate = LEARNING_RATE_OF_SHORT_RUN;
        if (givenLearningRate == null) {
            learningRate = LEARNING_RATE_OF_SHORT_RUN;
        }
        if (givenEpochs == null && maxSteps == null) {
            maxSteps = 60;
        }
    }

    TrainingConfig.Builder config() {
        TrainingConfig.Builder config =
                TrainingConfig.builder()
                        .optLearningRate(learningRate)
                        .optBatchSize(batchSize)
                        .optGradientAccumulation(gradientAccumulation)
                        .optEpochs(epochs)
                        .optWarmupSteps(warmupSteps)
                        .optWarmupStart(warmupStart)
                        .optSchedule(Schedule.of(scheduler))
                        .optMinLearningRate(minLearningRate)
                        .optAdamBetas(adamBeta1, adamBeta2)
                        .optAdamEpsilon(adamEpsilon)
                        .optWeightDecay(weightDecay)
                        .optMaxGradNorm(maxGradNorm)
                        .optSeed(seed)
                        .optShuffle(!noShuffle)
                        .optGroupByLength(groupByLength)
                        .optGradientCheckpointing(checkpointing());
        if (loraPlusRatio != null) {
            config.optLoraPlus(loraPlus(loraPlusRatio));
        }
        return maxSteps == null ? config : config.optMaxSteps(maxSteps);
    }

    private LoraPlus loraPlus(double ratio) {
        return loraPlusEmbedding == null
                ? new LoraPlus(ratio)
                : new LoraPlus(ratio, loraPlusEmbedding);
    }

    int batchSize() {
        return batchSize;
    }

    int maxLength() {
        return maxLength;
    }

    double learningRate() {
        return learningRate;
    }

    /** The learning rate of a run whose flags say none. */
    double defaultLearningRate() {
        return defaultLearningRate;
    }

    long seed() {
        return seed;
    }

    /** How many optimizer steps a number of rows gives. */
    int steps(int rows) {
        if (maxSteps != null) {
            return maxSteps;
        }
        int perStep = batchSize * gradientAccumulation;
        return (int) Math.ceil(epochs * Math.ceil((double) rows / perStep));
    }

    /** Says in words what does not vary in a comparison, for its report. */
    Map<String, String> describe() {
        Map<String, String> words = new LinkedHashMap<>();
        words.put("schedule", describeSchedule());
        words.put("batch size", batchSize + ", gradient accumulation " + gradientAccumulation);
        words.put("length", maxSteps != null ? maxSteps + " steps" : epochs + " epochs");
        words.put("weight decay", String.valueOf(weightDecay));
        if (adamBeta1 != 0.9 || adamBeta2 != 0.999 || adamEpsilon != 1e-8) {
            words.put("AdamW", "β " + adamBeta1 + " and " + adamBeta2 + ", ε " + adamEpsilon);
        }
        words.put("gradient norm", maxGradNorm == 0 ? "not clipped" : "at most " + maxGradNorm);
        if (loraPlusRatio != null) {
            words.put("LoRA+ ratio", String.valueOf(loraPlusRatio));
        }
        return words;
    }

    private String describeSchedule() {
        return scheduler
                + (minLearningRate > 0 ? " down to " + minLearningRate : "")
                + ", warm-up "
                + warmupSteps
                + " steps"
                + (warmupStart > 0 ? " from " + warmupStart : "");
    }
}
