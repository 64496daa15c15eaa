/** Training beside Hugging Face PEFT: the same model, adapter and tokens, one after the other. */
@NullMarked
package io.peft4j.benchmarks;

import org.jspecify.annotations.NullMarked;
