package io.peft4j.tuning;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Remembers everything it hears. */
final class Recorder implements TrainingObserver {

    final List<TrainingStep> steps = new ArrayList<>();
    final List<Integer> evaluations = new ArrayList<>();
    final List<Integer> checkpoints = new ArrayList<>();
    final List<String> warnings = new ArrayList<>();
    final List<String> missing = new ArrayList<>();
    int doneSteps = -1;

    @Override
    public void onStart(int done, int totalSteps) {
        doneSteps = done;
    }

    @Override
    public void onStep(TrainingStep step) {
        steps.add(step);
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        evaluations.add(step);
    }

    @Override
    public void onCheckpoint(int step, Path directory) {
        checkpoints.add(step);
    }

    @Override
    public void onMissingGradients(List<String> names) {
        missing.addAll(names);
    }

    @Override
    public void onWarning(String message) {
        warnings.add(message);
    }
}
