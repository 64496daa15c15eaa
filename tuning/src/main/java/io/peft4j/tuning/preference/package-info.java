/** Learning from pairs of answers of which one is preferred: DPO and its relatives. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.preference;
