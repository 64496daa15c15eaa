package io.peft4j.tuning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a training learns from: its rows, and what a step's rows add to the gradients. The loop
 * around it, with its optimizer, schedule, checkpoints and evaluations, is {@link TaskTrainer}'s
 * and the same for all tasks.
 *
 * <p>A row is whatever the task takes as one: a text, or a pair of answers.
 */
public interface TrainingTask {

    /**
     * Returns the kind of training, for the provenance of its result.
     *
     * @return such as {@code sft} or {@code dpo}
     */
    String kind();

    /**
     * Counts the rows to train on.
     *
     * @return their number, 1 at least
     */
    int rows();

    /**
     * Returns how long a row is in a batch.
     *
     * @param row from 0
     * @return the tokens of its longest sequence
     */
    int length(int row);

    /**
     * Tells how many sequences of a row go through the model together.
     *
     * @return 1 unless a task says otherwise
     */
    default int sequences() {
        return 1;
    }

    /**
     * Returns the settings that a resumed run must share, because they change the result; what
     * identifies the data is among them.
     *
     * @return setting by name, of lower-case letters, digits and underscores
     */
    Map<String, String> settings();

    /**
     * Begins a step: reads its rows, and makes what it learns from of them, if it is made on the
     * way, as answers of the model itself are.
     *
     * @param model the model
     * @param step the steps done before
     * @param rows the rows of all its micro-batches
     * @param beforeBatch to be run before each batch of what takes long; it may throw, to end the
     *     step
     * @return the step
     */
    Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch);

    /**
     * Is told that the parameters have moved, before the step is evaluated or saved.
     *
     * @param done the steps done, this one included
     */
    default void afterStep(int done) {}

    /**
     * Tells whether there is anything to evaluate on.
     *
     * @return whether {@link #evaluate} may be called
     */
    boolean hasHeldOut();

    /**
     * Tells whether an evaluation's loss is a mean reward with its sign turned, so that it is told
     * as the reward.
     *
     * @return false unless a task says otherwise
     */
    default boolean isLossNegatedReward() {
        return false;
    }

    /**
     * Evaluates the model on the held-out rows, without dropout.
     *
     * @param model the model
     * @param batchSize how many rows go through the model together
     * @param beforeBatch to be run before each batch; it may throw, to end the evaluation
     * @return the losses
     */
    EvaluationResult evaluate(LanguageModel model, int batchSize, Runnable beforeBatch);

    /**
     * Writes what the task itself has of state into a checkpoint.
     *
     * @param directory an existing directory; files of other names are beside
     * @throws IOException if writing fails
     */
    default void save(Path directory) throws IOException {}

    /**
     * Reads the state back.
     *
     * @param directory what {@link #save} wrote into
     * @throws IOException if the files cannot be read or do not fit
     */
    default void load(Path directory) throws IOException {}

    /**
     * What a step's rows add to the gradients. The learning rate is the same for the whole of a
     * step, and checkpoints lie between steps.
     */
    interface Step {

        /**
         * Counts the tokens that will go through the trained model.
         *
         * @return the tokens of all rows, without padding
         */
        long tokens();

        /**
         * Counts the tokens with a loss.
         *
         * @return how many of them are learned from; a step without any moves nothing
         */
        long labelled();

        /**
         * Says what is wrong with the step, though it is done.
         *
         * @return the warning; unless a task says otherwise, that there is nothing to learn if so
         */
        default Optional<String> warning() {
            return labelled() > 0 ? Optional.empty() : Optional.of("none of its rows has a label");
        }

        /**
         * Returns how often the optimizer moves the parameters in this step. That is once, unless a
         * task goes through its rows in parts or several times, as PPO does.
         *
         * @return what each move learns from, in order, one at least
         */
        List<Update> updates();

        /**
         * Returns the loss, as far as micro-batches are done.
         *
         * @return the loss of the whole step: of one update, that of which the gradients are; else
         *     the mean of the updates'
         */
        double loss();

        /**
         * Returns what else the step has shown.
         *
         * @return numbers by name, such as {@code rewards/margins}; none unless a task has some
         */
        default Map<String, Double> metrics() {
            return Map.of();
        }
    }

    /** What the optimizer moves the parameters by, once. */
    interface Update {

        /**
         * Counts the rows that the gradients are of.
         *
         * @return their number, 1 at least
         */
        int rows();

        /**
         * Runs a micro-batch forward and backward: adds its share of the gradient of the update's
         * loss.
         *
         * @param from its first row, counted in the update's rows
         * @param to the row after its last
         */
        void backward(int from, int to);
    }
}
