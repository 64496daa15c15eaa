/** Sampled answers that are kept: rejection sampling, and the journal below it. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.online.rejection;
