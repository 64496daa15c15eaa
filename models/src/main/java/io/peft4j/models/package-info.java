/**
 * Decoder-only language models: one decoder whose families are data, Hugging Face directories,
 * tokenizers with chat templates, and generation.
 */
@NullMarked
package io.peft4j.models;

import org.jspecify.annotations.NullMarked;
