package io.peft4j.tuning.preference;

/**
 * The loss of one pair, and its slopes.
 *
 * @param value the loss
 * @param byChosen the derivative by the log-probability of the chosen answer
 * @param byRejected the derivative by the log-probability of the rejected answer
 */
public record PairLoss(double value, double byChosen, double byRejected) {

    static final PairLoss ZERO = new PairLoss(0, 0, 0);

    PairLoss plus(PairLoss other, double weight) {
        return new PairLoss(
                value + weight * other.value,
                byChosen + weight * other.byChosen,
                byRejected + weight * other.byRejected);
    }
}
