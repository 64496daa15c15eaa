/** Reward models: adapters with a score head, learned from preferences, that judge answers. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.reward;
