package io.peft4j.tuning;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Several observers as one, and the log for what is odd. */
final class ObserverGroup implements TrainingObserver {

    private static final Logger LOG = LoggerFactory.getLogger(TaskTrainer.class);

    private final List<TrainingObserver> observers;

    ObserverGroup(List<TrainingObserver> observers) {
        this.observers = List.copyOf(observers);
    }

    private void each(Consumer<TrainingObserver> call) {
        observers.forEach(call);
    }

    @Override
    public void onSettings(Map<String, String> settings) {
        each(o -> o.onSettings(settings));
    }

    @Override
    public void onStart(int doneSteps, int totalSteps) {
        each(o -> o.onStart(doneSteps, totalSteps));
    }

    @Override
    public void onGradientCheckpointing(boolean on, String reason) {
        LOG.info("gradient checkpointing is {}: {}", on ? "on" : "off", reason);
        each(o -> o.onGradientCheckpointing(on, reason));
    }

    @Override
    public void onStep(TrainingStep step) {
        each(o -> o.onStep(step));
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        each(o -> o.onEvaluation(step, result, best));
    }

    @Override
    public void onCheckpoint(int step, Path directory) {
        each(o -> o.onCheckpoint(step, directory));
    }

    @Override
    public void onMissingGradients(List<String> names) {
        LOG.warn("the first step gave these trainable parameters no gradient: {}", names);
        each(o -> o.onMissingGradients(names));
    }

    @Override
    public void onWarning(String message) {
        LOG.warn("{}", message);
        each(o -> o.onWarning(message));
    }

    @Override
    public void onFinish(TrainingResult result, Path output) {
        each(o -> o.onFinish(result, output));
    }
}
