/** Learning from a model's own answers: they are sampled, rewarded, and learned from. */
@org.jspecify.annotations.NullMarked
package io.peft4j.tuning.online;
