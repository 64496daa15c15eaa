package io.peft4j.cli;

import io.peft4j.cli.ComparedRun.Point;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.util.ArrayList;
import java.util.List;

/** Keeps the losses of a training for its curves. */
final class LossHistory implements TrainingObserver {

    private final List<Point> training = new ArrayList<>();
    private final List<Point> heldOut = new ArrayList<>();

    @Override
    public void onStep(TrainingStep step) {
        training.add(new Point(step.step(), step.loss()));
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        heldOut.add(new Point(step, result.loss()));
    }

    List<Point> training() {
        return training;
    }

    List<Point> heldOut() {
        return heldOut;
    }
}
