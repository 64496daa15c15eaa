/** Answers compared with the others to the same prompt: GRPO and RLOO. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.online.group;
