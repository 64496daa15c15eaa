/**
 * Hugging Face's safetensors format: a strict reader, a streaming writer and sharded checkpoints.
 */
@NullMarked
package io.peft4j.safetensors;

import org.jspecify.annotations.NullMarked;
