/** Rewards that programs verify. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.online.judges;
