package io.peft4j.tuning.preference;

import io.peft4j.tuning.TrainingObserver;
import java.util.List;

/** Hears of iterations as they go, from the thread that trains. */
public interface IterationObserver {

    /**
     * Some more prompts of an iteration are answered.
     *
     * @param iteration from 1
     * @param done how many prompts have their answers
     * @param total how many there are
     */
    default void onSampling(int iteration, int done, int total) {}

    /**
     * An iteration has its pairs and begins to learn from them.
     *
     * @param iteration from 1
     * @param pairs how many there are; with none, nothing is learned
     * @return who is to hear of the training
     */
    default List<TrainingObserver> onTraining(int iteration, int pairs) {
        return List.of();
    }

    /**
     * An iteration is done, now or before a resume.
     *
     * @param figures what it has shown
     */
    default void onIteration(IterationFigures figures) {}
}
