package io.peft4j.tuning;

import ai.djl.nn.Parameter;
import io.peft4j.tuning.TrainerState.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The loop around {@link OptimizerStep}: when to evaluate, to save, to stop.
 *
 * <p>After a step come, in this order, its evaluation and its checkpoint, so that a checkpoint
 * knows of its step's evaluation; where it does not, because of an interrupt, a resumed run makes
 * up for it first.
 */
final class TrainingRun implements AutoCloseable {

    private final LanguageModel model;
    private final Trainable trainable;
    private final TrainingTask task;
    private final TrainingConfig config;
    private final Path output;
    private final TrainingObserver observer;
    private final OptimizerStep optimizerStep;
    private final Map<String, String> settings;
    private final CheckpointStore store;

    private int step;
    private Progress progress = Progress.NONE;
    private @Nullable Path lastCheckpoint;
    private OptionalDouble loss = OptionalDouble.empty();
    private boolean gradientsChecked;
    private long tokens;
    private double seconds;

    TrainingRun(
            LanguageModel model,
            Trainable trainable,
            TrainingTask task,
            TrainingConfig config,
            Path output,
            TrainingObserver observer) {
        this.model = model;
        this.trainable = trainable;
        this.task = task;
        this.config = config;
        this.output = output;
        this.observer = observer;
        trainable.parameters().values().forEach(TrainingRun::unfreeze);
        optimizerStep =
                new OptimizerStep(
                        model, trainable.parameters(), task, config, TrainingRun::checkInterrupt);
        settings = RunSettings.of(trainable, task, config);
        store =
                new CheckpointStore(
                        output, model, trainable, task, optimizerStep, settings, config);
    }

    private static void unfreeze(Parameter parameter) {
        parameter.freeze(false);
    }

    TrainingResult run() throws IOException {
        Files.createDirectories(output);
        begin();
        try {
            if (step > 0 && evaluationDue() && progress.lastEvaluation() < step) {
                evaluateAndSave();
            }
            while (step < optimizerStep.totalSteps() && !outOfPatience()) {
                takeStep();
                evaluateAndSave();
            }
        } catch (Interrupted e) {
            if (step > 0) {
                save();
            }
            throw new TrainingInterruptedException(step, lastCheckpoint);
        }
        finish();
        TrainingResult result = result();
        observer.onFinish(result, output);
        return result;
    }

    private void begin() throws IOException {
        Optional<Boolean> recorded = Optional.empty();
        if (config.resume()) {
            Optional<CheckpointStore.Found> found = store.resume(observer);
            if (found.isPresent()) {
                TrainerState state = found.get().state();
                step = state.step();
                progress = state.progress();
                lastCheckpoint = found.get().directory();
                recorded = ComputeRecord.checkpointing(state.compute());
            }
        } else {
            store.requireNone();
        }
        CheckpointingChoice choice = optimizerStep.chooseCheckpointing(recorded);
        model.useGradientCheckpointing(choice.on());
        observer.onSettings(Collections.unmodifiableMap(settings));
        observer.onStart(step, optimizerStep.totalSteps());
        observer.onGradientCheckpointing(choice.on(), choice.reason());
    }

    private void takeStep() {
        TrainingStep done;
        try {
            done = optimizerStep.take(step);
        } catch (OptimizerStep.NonFinite e) {
            throw new TrainingDivergedException(step + 1, e.what(), e.value(), lastCheckpoint);
        }
        optimizerStep
                .warning()
                .ifPresent(text -> observer.onWarning("step " + done.step() + ": " + text));
        if (done.labelled() > 0 && !gradientsChecked) {
            gradientsChecked = true;
            List<String> missing = optimizerStep.missing();
            if (!missing.isEmpty()) {
                observer.onMissingGradients(missing);
            }
        }
        step++;
        task.afterStep(step);
        loss = OptionalDouble.of(done.loss());
        tokens += done.tokens();
        double took = done.tokens() / done.tokensPerSecond();
        seconds += took;
        progress = progress.later(took);
        observer.onStep(done);
    }

    private void evaluateAndSave() throws IOException {
        boolean best = evaluationDue() && evaluate() && config.evalSteps() > 0;
        if (best || (config.saveSteps() > 0 && step % config.saveSteps() == 0)) {
            save();
        }
    }

    private boolean evaluationDue() {
        return task.hasHeldOut()
                && (step == optimizerStep.totalSteps()
                        || (config.evalSteps() > 0 && step % config.evalSteps() == 0));
    }

    /** Evaluates, and tells whether no evaluation before was better. */
    private boolean evaluate() {
        EvaluationResult result =
                task.evaluate(model, config.batchSize(), TrainingRun::checkInterrupt);
        if (!Double.isFinite(result.loss())) {
            throw new TrainingDivergedException(
                    step, "held-out loss", result.loss(), lastCheckpoint);
        }
        progress = progress.after(step, result.loss());
        boolean best = progress.bestStep() == step;
        observer.onEvaluation(step, result, best);
        return best;
    }

    private boolean outOfPatience() {
        return config.patience() > 0 && progress.withoutImprovement() >= config.patience();
    }

    private void record(int steps) {
        double epochs = optimizerStep.order().epochs(steps);
        Map<String, String> facts = TrainingFacts.of(task.kind(), steps, epochs, settings);
        facts.putAll(figures(steps));
        trainable.record(facts);
    }

    /** What is known of the parameters after so many steps. */
    private Map<String, String> figures(int steps) {
        Map<String, String> figures = new HashMap<>();
        if (steps == step && loss.isPresent()) {
            figures.put("loss", String.valueOf(loss.getAsDouble()));
        }
        if (steps > 0 && steps == progress.lastEvaluation()) {
            putHeldOut(figures, progress.lastLoss());
        } else if (steps > 0 && steps == progress.bestStep()) {
            putHeldOut(figures, progress.bestLoss());
        }
        figures.put("seconds", String.format(Locale.ROOT, "%.3f", progress.seconds()));
        return figures;
    }

    private void putHeldOut(Map<String, String> figures, double heldOutLoss) {
        if (task.isLossNegatedReward()) {
            figures.put("held_out_reward", String.valueOf(reward(heldOutLoss)));
        } else {
            figures.put("held_out_loss", String.valueOf(heldOutLoss));
        }
    }

    private static double reward(double negated) {
        return 0 - negated; // and not −0.0
    }

    private void save() throws IOException {
        record(step);
        lastCheckpoint = store.save(step, progress);
        observer.onCheckpoint(step, lastCheckpoint);
    }

    private void finish() throws IOException {
        if (config.saveSteps() > 0 && !store.path(step).equals(lastCheckpoint)) {
            save();
        }
        int trained = step;
        if (config.restoreBest() && progress.bestStep() > 0 && progress.bestStep() != step) {
            trained = progress.bestStep();
            Interruptions.hold(() -> trainable.load(store.path(progress.bestStep())));
        }
        record(trained);
        Interruptions.hold(() -> trainable.export(output));
    }

    private TrainingResult result() {
        boolean evaluated = progress.lastEvaluation() > 0;
        boolean rewarded = evaluated && task.isLossNegatedReward();
        return new TrainingResult(
                step,
                optimizerStep.totalSteps(),
                loss,
                evaluated ? OptionalDouble.of(progress.lastLoss()) : OptionalDouble.empty(),
                rewarded ? OptionalDouble.of(reward(progress.lastLoss())) : OptionalDouble.empty(),
                evaluated ? OptionalInt.of(progress.bestStep()) : OptionalInt.empty(),
                evaluated ? OptionalDouble.of(progress.bestLoss()) : OptionalDouble.empty(),
                step < optimizerStep.totalSteps(),
                tokens,
                seconds == 0 ? 0 : tokens / seconds);
    }

    private static void checkInterrupt() {
        if (Thread.currentThread().isInterrupted()) {
            throw new Interrupted();
        }
    }

    @Override
    public void close() {
        optimizerStep.close();
        model.freeStepMemory();
    }

    /** Leaves a step or an evaluation on an interrupt. */
    private static final class Interrupted extends RuntimeException {

        private static final long serialVersionUID = 1L;

        Interrupted() {
            super("interrupted");
        }
    }
}
