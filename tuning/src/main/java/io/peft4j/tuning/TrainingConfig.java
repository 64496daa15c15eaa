package io.peft4j.tuning;

import ai.djl.util.Preconditions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The settings of a training. (The file is long because every setting has a getter and a builder's
 * method, as in DJL, and little else.)
 */
public final class TrainingConfig {

    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.999;
    private static final double EPSILON = 1e-8;

    private final Builder settings;

    private TrainingConfig(Builder builder) {
        settings = new Builder(builder);
    }

    /**
     * Returns how many rows go through the model together.
     *
     * @return rows of a micro-batch
     */
    public int batchSize() {
        return settings.batchSize;
    }

    /**
     * Returns how many micro-batches make one optimizer step.
     *
     * @return micro-batches of a step
     */
    public int gradientAccumulation() {
        return settings.gradientAccumulation;
    }

    /**
     * Returns the number of optimizer steps, if steps are counted and not epochs.
     *
     * @return the steps
     */
    public OptionalInt maxSteps() {
        return settings.maxSteps > 0 ? OptionalInt.of(settings.maxSteps) : OptionalInt.empty();
    }

    /**
     * Returns how often the training goes through all rows, if epochs are counted.
     *
     * @return the epochs
     */
    public double epochs() {
        return settings.epochs;
    }

    /**
     * Returns the learning rate before the schedule.
     *
     * @return the rate
     */
    public double learningRate() {
        return settings.learningRate;
    }

    /**
     * Returns how the rate moves.
     *
     * @return the schedule
     */
    public Schedule schedule() {
        return settings.schedule;
    }

    /**
     * Returns the steps over which the rate rises.
     *
     * @return the warm-up
     */
    public int warmupSteps() {
        return settings.warmupSteps;
    }

    /**
     * Returns the rate that the warm-up begins with.
     *
     * @return the rate of the first step
     */
    public double warmupStart() {
        return settings.warmupStart;
    }

    /**
     * Returns the rate that the schedule comes down to.
     *
     * @return the rate after the last step
     */
    public double minLearningRate() {
        return settings.minLearningRate;
    }

    /**
     * Returns the learning rate of a step.
     *
     * @param step counted from 0
     * @param totalSteps the steps that the run takes in all
     * @return the rate
     */
    public double learningRate(int step, int totalSteps) {
        return settings.schedule.rate(
                step,
                settings.warmupSteps,
                totalSteps,
                settings.warmupStart,
                settings.learningRate,
                settings.minLearningRate);
    }

    /**
     * Returns the decay rate of AdamW's first moment.
     *
     * @return β1
     */
    public double adamBeta1() {
        return settings.adamBeta1;
    }

    /**
     * Returns the decay rate of AdamW's second moment.
     *
     * @return β2
     */
    public double adamBeta2() {
        return settings.adamBeta2;
    }

    /**
     * Returns what AdamW adds to the root of the second moment.
     *
     * @return ε
     */
    public double adamEpsilon() {
        return settings.adamEpsilon;
    }

    /**
     * Returns the decoupled weight decay.
     *
     * @return the factor of the learning rate
     */
    public double weightDecay() {
        return settings.weightDecay;
    }

    /**
     * Returns the settings of LoRA+, if B learns at another rate than A.
     *
     * @return the settings
     */
    public Optional<LoraPlus> loraPlus() {
        return Optional.ofNullable(settings.loraPlus);
    }

    /**
     * Returns the largest global norm of a step's gradients.
     *
     * @return the norm; 0 for no clipping
     */
    public double maxGradNorm() {
        return settings.maxGradNorm;
    }

    /**
     * Returns what all random numbers come from.
     *
     * @return the seed
     */
    public long seed() {
        return settings.seed;
    }

    /**
     * Returns whether every epoch has an order of its own.
     *
     * @return false for file order
     */
    public boolean shuffle() {
        return settings.shuffle;
    }

    /**
     * Returns whether rows of about the same length share a batch.
     *
     * @return false for the plain order
     */
    public boolean groupByLength() {
        return settings.groupByLength;
    }

    /**
     * Returns after how many steps the held-out examples are evaluated, besides at the end.
     *
     * @return the steps; 0 for only at the end
     */
    public int evalSteps() {
        return settings.evalSteps;
    }

    /**
     * Returns after how many steps a checkpoint is written, besides at the end.
     *
     * @return the steps; 0 for no checkpoints but the best and an interrupted one
     */
    public int saveSteps() {
        return settings.saveSteps;
    }

    /**
     * Returns how many of the newest checkpoints stay, besides the best.
     *
     * @return the number
     */
    public int keepCheckpoints() {
        return settings.keepCheckpoints;
    }

    /**
     * Returns after how many evaluations without a smaller loss the training stops.
     *
     * @return the evaluations; 0 for never
     */
    public int patience() {
        return settings.patience;
    }

    /**
     * Returns whether the result is the checkpoint of the smallest held-out loss and not the last.
     *
     * @return whether the best is put back at the end
     */
    public boolean restoreBest() {
        return settings.restoreBest;
    }

    /**
     * Returns whether the training goes on from the newest checkpoint of its output.
     *
     * @return whether it resumes
     */
    public boolean resume() {
        return settings.resume;
    }

    /**
     * Returns whether layers are computed again in backward.
     *
     * @return the choice
     */
    public GradientCheckpointing gradientCheckpointing() {
        return settings.gradientCheckpointing;
    }

    /**
     * Returns what a resumed run must share, because it changes the result.
     *
     * @param totalSteps the steps that the run takes in all
     * @return text by name
     */
    public Map<String, String> fingerprint(int totalSteps) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("batch_size", String.valueOf(settings.batchSize));
        values.put("gradient_accumulation", String.valueOf(settings.gradientAccumulation));
        values.put("counts", settings.maxSteps > 0 ? "steps" : "epochs");
        values.put("learning_rate", String.valueOf(settings.learningRate));
        values.put("scheduler", settings.schedule.toString());
        values.put("warmup_steps", String.valueOf(settings.warmupSteps));
        // what older checkpoints do not know is told only where it is not what they had
        tell(values, "warmup_start", settings.warmupStart, 0);
        tell(values, "min_learning_rate", settings.minLearningRate, 0);
        tell(values, "adam_beta1", settings.adamBeta1, BETA1);
        tell(values, "adam_beta2", settings.adamBeta2, BETA2);
        tell(values, "adam_epsilon", settings.adamEpsilon, EPSILON);
        if (settings.schedule != Schedule.CONSTANT) {
            values.put("total_steps", String.valueOf(totalSteps)); // else it may be prolonged
        }
        values.put("weight_decay", String.valueOf(settings.weightDecay));
        loraPlus()
                .ifPresent(
                        plus -> {
                            values.put("loraplus_lr_ratio", String.valueOf(plus.ratio()));
                            values.put(
                                    "loraplus_lr_embedding",
                                    String.valueOf(plus.embeddingLearningRate()));
                        });
        values.put("max_grad_norm", String.valueOf(settings.maxGradNorm));
        values.put("seed", String.valueOf(settings.seed));
        values.put("shuffle", String.valueOf(settings.shuffle));
        values.put("group_by_length", String.valueOf(settings.groupByLength));
        return values;
    }

    private static void tell(Map<String, String> values, String name, double value, double usual) {
        if (value != usual) {
            values.put(name, String.valueOf(value));
        }
    }

    /**
     * Creates a builder.
     *
     * @return the builder, with the command line's defaults
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Creates a builder that begins with these settings.
     *
     * @return the builder
     */
    public Builder toBuilder() {
        return new Builder(settings);
    }

    /** Builds a {@link TrainingConfig}. */
    public static final class Builder {

        private int batchSize = 8;
        private int gradientAccumulation = 1;
        private int maxSteps;
        private double epochs = 1;
        private double learningRate = 2e-4;
        private Schedule schedule = Schedule.LINEAR;
        private int warmupSteps;
        private double warmupStart;
        private double minLearningRate;
        private double adamBeta1 = BETA1;
        private double adamBeta2 = BETA2;
        private double adamEpsilon = EPSILON;
        private double weightDecay;
        private @Nullable LoraPlus loraPlus;
        private double maxGradNorm = 1;
        private long seed = 42;
        private boolean groupByLength;
        private boolean shuffle = true;
        private int evalSteps;
        private int saveSteps;
        private int keepCheckpoints = 2;
        private int patience;
        private boolean restoreBest;
        private boolean resume;
        private GradientCheckpointing gradientCheckpointing = GradientCheckpointing.AUTO;

        private Builder() {}

        private Builder(Builder other) {
            batchSize = other.batchSize;
            gradientAccumulation = other.gradientAccumulation;
            maxSteps = other.maxSteps;
            epochs = other.epochs;
            learningRate = other.learningRate;
            schedule = other.schedule;
            warmupSteps = other.warmupSteps;
            warmupStart = other.warmupStart;
            minLearningRate = other.minLearningRate;
            adamBeta1 = other.adamBeta1;
            adamBeta2 = other.adamBeta2;
            adamEpsilon = other.adamEpsilon;
            weightDecay = other.weightDecay;
            loraPlus = other.loraPlus;
            maxGradNorm = other.maxGradNorm;
            seed = other.seed;
            shuffle = other.shuffle;
            groupByLength = other.groupByLength;
            evalSteps = other.evalSteps;
            saveSteps = other.saveSteps;
            keepCheckpoints = other.keepCheckpoints;
            patience = other.patience;
            restoreBest = other.restoreBest;
            resume = other.resume;
            gradientCheckpointing = other.gradientCheckpointing;
        }

        /**
         * Sets the rows of a micro-batch.
         *
         * @param rows 8 unless set
         * @return this builder
         */
        public Builder optBatchSize(int rows) {
            batchSize = rows;
            return this;
        }

        /**
         * Sets the micro-batches of an optimizer step.
         *
         * @param microBatches 1 unless set
         * @return this builder
         */
        public Builder optGradientAccumulation(int microBatches) {
            gradientAccumulation = microBatches;
            return this;
        }

        /**
         * Counts optimizer steps instead of epochs; the data starts again at its end.
         *
         * @param steps the steps; 0 counts epochs
         * @return this builder
         */
        public Builder optMaxSteps(int steps) {
            maxSteps = steps;
            return this;
        }

        /**
         * Sets how often to go through all rows. The maximum of steps wins over it.
         *
         * @param number 1 unless set; a fraction stops within an epoch
         * @return this builder
         */
        public Builder optEpochs(double number) {
            epochs = number;
            return this;
        }

        /**
         * Sets the learning rate before the schedule.
         *
         * @param rate 2e-4 unless set
         * @return this builder
         */
        public Builder optLearningRate(double rate) {
            learningRate = rate;
            return this;
        }

        /**
         * Sets how the rate moves.
         *
         * @param kind linear unless set
         * @return this builder
         */
        public Builder optSchedule(Schedule kind) {
            schedule = kind;
            return this;
        }

        /**
         * Sets the steps over which the rate rises.
         *
         * @param steps 0 unless set
         * @return this builder
         */
        public Builder optWarmupSteps(int steps) {
            warmupSteps = steps;
            return this;
        }

        /**
         * Sets the rate that the warm-up begins with.
         *
         * @param rate 0 unless set; at most the learning rate
         * @return this builder
         */
        public Builder optWarmupStart(double rate) {
            warmupStart = rate;
            return this;
        }

        /**
         * Sets the rate that the schedule comes down to.
         *
         * @param rate 0 unless set; at most the learning rate, and 0 for a constant one
         * @return this builder
         */
        public Builder optMinLearningRate(double rate) {
            minLearningRate = rate;
            return this;
        }

        /**
         * Sets the decay rates of AdamW's moments.
         *
         * @param first β1, 0.9 unless set
         * @param second β2, 0.999 unless set
         * @return this builder
         */
        public Builder optAdamBetas(double first, double second) {
            adamBeta1 = first;
            adamBeta2 = second;
            return this;
        }

        /**
         * Sets what AdamW adds to the root of the second moment.
         *
         * @param epsilon 1e-8 unless set
         * @return this builder
         */
        public Builder optAdamEpsilon(double epsilon) {
            adamEpsilon = epsilon;
            return this;
        }

        /**
         * Sets the decoupled weight decay of all trained tensors.
         *
         * @param decay 0 unless set
         * @return this builder
         */
        public Builder optWeightDecay(double decay) {
            weightDecay = decay;
            return this;
        }

        /**
         * Lets the factors B of an adapter learn at another rate than A; the learning rate is A's.
         *
         * @param settings none unless set
         * @return this builder
         */
        public Builder optLoraPlus(LoraPlus settings) {
            loraPlus = settings;
            return this;
        }

        /**
         * Sets the largest global norm of a step's gradients.
         *
         * @param norm 1 unless set; 0 for no clipping
         * @return this builder
         */
        public Builder optMaxGradNorm(double norm) {
            maxGradNorm = norm;
            return this;
        }

        /**
         * Sets what order and dropout come from.
         *
         * @param number 42 unless set
         * @return this builder
         */
        public Builder optSeed(long number) {
            seed = number;
            return this;
        }

        /**
         * Sets whether every epoch has an order of its own.
         *
         * @param random true unless set; false for file order
         * @return this builder
         */
        public Builder optShuffle(boolean random) {
            shuffle = random;
            return this;
        }

        /**
         * Sets whether rows of about the same length share a batch, so that little of it is
         * padding; an epoch still takes every row once.
         *
         * @param group false unless set
         * @return this builder
         */
        public Builder optGroupByLength(boolean group) {
            groupByLength = group;
            return this;
        }

        /**
         * Sets after how many steps to evaluate.
         *
         * @param steps 0 unless set: only at the end
         * @return this builder
         */
        public Builder optEvalSteps(int steps) {
            evalSteps = steps;
            return this;
        }

        /**
         * Sets after how many steps to write a checkpoint.
         *
         * @param steps 0 unless set: none
         * @return this builder
         */
        public Builder optSaveSteps(int steps) {
            saveSteps = steps;
            return this;
        }

        /**
         * Sets how many of the newest checkpoints stay, besides the best.
         *
         * @param number 2 unless set
         * @return this builder
         */
        public Builder optKeepCheckpoints(int number) {
            keepCheckpoints = number;
            return this;
        }

        /**
         * Stops when the held-out loss has not become smaller.
         *
         * @param evaluations for how many evaluations; 0, unless set, for never
         * @return this builder
         */
        public Builder optPatience(int evaluations) {
            patience = evaluations;
            return this;
        }

        /**
         * Sets whether the best checkpoint is put back at the end.
         *
         * @param best false unless set
         * @return this builder
         */
        public Builder optRestoreBest(boolean best) {
            restoreBest = best;
            return this;
        }

        /**
         * Sets whether to go on from the newest checkpoint.
         *
         * @param again false unless set
         * @return this builder
         */
        public Builder optResume(boolean again) {
            resume = again;
            return this;
        }

        /**
         * Sets whether layers keep their inputs alone and are computed again in backward.
         *
         * @param choice {@link GradientCheckpointing#AUTO} unless set
         * @return this builder
         */
        public Builder optGradientCheckpointing(GradientCheckpointing choice) {
            gradientCheckpointing = choice;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range
         */
        public TrainingConfig build() {
            positive("batch size", batchSize);
            positive("gradient accumulation", gradientAccumulation);
            positive("epochs", epochs);
            positive("number of checkpoints to keep", keepCheckpoints);
            notNegative("maximum of steps", maxSteps);
            notNegative("learning rate", learningRate);
            notNegative("warm-up", warmupSteps);
            notNegative("weight decay", weightDecay);
            rate("learning rate at the start of the warm-up", warmupStart);
            rate("minimum learning rate", minLearningRate);
            Preconditions.checkArgument(
                    minLearningRate == 0 || schedule != Schedule.CONSTANT,
                    "a minimum learning rate needs a schedule that comes down, linear or cosine");
            beta("β1", adamBeta1);
            beta("β2", adamBeta2);
            notNegative("AdamW epsilon", adamEpsilon);
            notNegative("maximum gradient norm", maxGradNorm);
            notNegative("steps between evaluations", evalSteps);
            notNegative("steps between checkpoints", saveSteps);
            notNegative("patience", patience);
            return new TrainingConfig(this);
        }

        private void rate(String what, double value) {
            Preconditions.checkArgument(
                    value >= 0 && value <= learningRate,
                    "expected a "
                            + what
                            + " from 0 to the learning rate, "
                            + learningRate
                            + ", found "
                            + value);
        }

        private static void beta(String what, double value) {
            Preconditions.checkArgument(
                    value >= 0 && value < 1,
                    "expected a " + what + " from 0 to below 1, found " + value);
        }

        private static void positive(String what, double value) {
            Preconditions.checkArgument(
                    value > 0 && Double.isFinite(value),
                    "expected a positive " + what + ", found " + value);
        }

        private static void notNegative(String what, double value) {
            Preconditions.checkArgument(
                    value >= 0 && Double.isFinite(value),
                    "expected a " + what + " of 0 or more, found " + value);
        }
    }
}
