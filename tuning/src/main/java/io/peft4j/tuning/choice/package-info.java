/** Multiple-choice questions, answered by the log-likelihood of their choices. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.choice;
