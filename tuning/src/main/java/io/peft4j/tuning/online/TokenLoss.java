package io.peft4j.tuning.online;

/**
 * One token's loss.
 *
 * @param value the loss
 * @param slope its derivative by what is learned: a log-probability or a value
 * @param clipped whether the clipped form is the larger, so that the slope is 0
 */
record TokenLoss(double value, double slope, boolean clipped) {}
