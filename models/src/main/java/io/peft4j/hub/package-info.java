/**
 * The Hugging Face hub: fetches models and adapters into the cache that Python's {@code
 * huggingface_hub} uses too.
 */
@NullMarked
package io.peft4j.hub;

import org.jspecify.annotations.NullMarked;
