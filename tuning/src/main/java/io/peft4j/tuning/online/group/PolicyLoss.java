package io.peft4j.tuning.online.group;

/** The loss of one answer, as a function of the policy's log-probabilities of its tokens. */
interface PolicyLoss {

    /**
     * Computes the loss.
     *
     * @param answer the answer
     * @param now the policy's log-probabilities of its tokens, of all of them that are learned from
     * @param slopes gets the derivative of the weighted loss by each of them
     * @param metrics gets what is seen
     * @return the loss, weighted
     */
    double of(JudgedAnswer answer, float[] now, float[] slopes, PolicyMetrics metrics);
}
