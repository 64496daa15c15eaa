package io.peft4j.tuning;

import ai.djl.nn.Parameter;
import io.peft4j.torch.TorchRuntime;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * One step: for each of its updates the micro-batches of an accumulation, whose loss is the task's,
 * then clipping and AdamW.
 *
 * <p>Before each micro-batch libtorch's random numbers start anew from the seed, the step, the
 * update and the micro-batch, so that dropout is the same in a resumed run.
 */
final class OptimizerStep implements AutoCloseable {

    private final LanguageModel model;
    private final TrainingTask task;
    private final TrainingConfig config;
    private final int totalSteps;
    private final RowOrder order;
    private final Map<String, Parameter> parameters;
    private final GradientCoverage coverage;
    private final AdamW optimizer;
    private final Runnable beforeBatch;
    private List<String> missing = List.of();
    private Optional<String> warning = Optional.empty();

    OptimizerStep(
            LanguageModel model,
            Map<String, Parameter> parameters,
            TrainingTask task,
            TrainingConfig config,
            Runnable beforeBatch) {
        this.model = model;
        this.task = task;
        this.config = config;
        this.beforeBatch = beforeBatch;
        this.parameters = new LinkedHashMap<>(parameters);
        totalSteps = RowOrder.totalSteps(task.rows(), config);
        order = new RowOrder(lengths().toArray(), config);
        coverage = new GradientCoverage(parameters);
        optimizer =
                AdamW.builder()
                        .setParameters(parameters)
                        .optGroups(
                                config.loraPlus()
                                        .map(plus -> plus.groups(parameters, config.learningRate()))
                                        .orElse(Map.of()))
                        .optBetas(config.adamBeta1(), config.adamBeta2())
                        .optEpsilon(config.adamEpsilon())
                        .optWeightDecay(config.weightDecay())
                        .build();
    }

    private IntStream lengths() {
        return IntStream.range(0, task.rows()).map(task::length);
    }

    int totalSteps() {
        return totalSteps;
    }

    RowOrder order() {
        return order;
    }

    AdamW optimizer() {
        return optimizer;
    }

    /**
     * Chooses whether layers are computed again, for the largest batch there can be.
     *
     * @param recorded what the run that is resumed did, if one is
     */
    CheckpointingChoice chooseCheckpointing(Optional<Boolean> recorded) {
        int length = lengths().max().orElse(1);
        int rows = Math.min(config.batchSize(), task.rows()) * task.sequences();
        return CheckpointingChoice.of(
                config.gradientCheckpointing(),
                recorded,
                model.canCheckpointGradients(),
                model.stepMemory(rows, length),
                MemoryPlan.gradientsAndOptimizer(
                        parameters.values().stream().mapToLong(p -> p.getShape().size()).sum()),
                AvailableMemory.of(model.manager().getDevice()));
    }

    /** Returns the parameters that the last step gave no gradient. */
    List<String> missing() {
        return missing;
    }

    /** Returns what was wrong with the last step. */
    Optional<String> warning() {
        return warning;
    }

    /**
     * Takes a step.
     *
     * @param step counted from 0
     * @throws NonFinite if loss or gradient is not finite; the parameters are as before the update
     *     that it was found in
     */
    TrainingStep take(int step) throws NonFinite {
        long start = System.nanoTime();
        int[] rows = order.rows(step);
        TrainingTask.Step begun = task.begin(model, step, rows, beforeBatch);
        double rate = config.learningRate(step, totalSteps);
        List<TrainingTask.Update> updates = begun.updates();
        Set<String> covered = new LinkedHashSet<>();
        double norms = 0;
        for (int i = 0; i < updates.size(); i++) {
            norms += update(new Place(step, i), begun, updates.get(i), rate, covered);
        }
        missing = parameters.keySet().stream().filter(n -> !covered.contains(n)).toList();
        warning = begun.warning();
        double seconds = Math.max(1, System.nanoTime() - start) / 1e9;
        return new TrainingStep(
                step + 1,
                totalSteps,
                begun.loss(),
                rate,
                norms / updates.size(),
                begun.tokens(),
                begun.labelled(),
                begun.tokens() / seconds,
                begun.metrics());
    }

    /** Moves the parameters once, and returns the norm of the gradient. */
    private double update(
            Place place,
            TrainingTask.Step begun,
            TrainingTask.Update update,
            double rate,
            Set<String> covered)
            throws NonFinite {
        coverage.zero();
        if (begun.labelled() > 0) {
            accumulate(place, update);
        }
        requireFinite("loss", begun.loss());
        Set<String> moved = new LinkedHashSet<>(coverage.covered());
        covered.addAll(moved);
        double norm = GradientClipping.clip(parameters.values(), config.maxGradNorm());
        requireFinite("gradient norm", norm);
        optimizer.step(moved, rate);
        return norm;
    }

    private void accumulate(Place place, TrainingTask.Update update) {
        int rows = update.rows();
        for (int first = 0; first < rows; first += config.batchSize()) {
            if (place.update() == 0) { // later the parameters have moved, and no state is kept
                beforeBatch.run();
            }
            TorchRuntime.seed(place.seed(config.seed(), first));
            update.backward(first, Math.min(first + config.batchSize(), rows));
        }
    }

    /**
     * An update's place in a run.
     *
     * @param step from 0
     * @param update from 0
     */
    private record Place(int step, int update) {

        /** Returns the seed of a micro-batch. */
        long seed(long run, int firstRow) {
            return update == 0
                    ? Seeds.mix(run, step, firstRow)
                    : Seeds.mix(run, step, firstRow, update);
        }
    }

    private static void requireFinite(String what, double value) throws NonFinite {
        if (!Double.isFinite(value)) {
            throw new NonFinite(what, value);
        }
    }

    @Override
    public void close() {
        optimizer.close();
    }

    /** A number that ends the training. */
    static final class NonFinite extends Exception {

        private static final long serialVersionUID = 1L;

        private final String what;
        private final double value;

        NonFinite(String what, double value) {
            super(what + " is " + value);
            this.what = what;
            this.value = value;
        }

        String what() {
            return what;
        }

        double value() {
            return value;
        }
    }
}
