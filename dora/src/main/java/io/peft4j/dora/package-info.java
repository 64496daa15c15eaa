/** DoRA: LoRA for the direction of a weight, and a trained magnitude per output. */
@NullMarked
package io.peft4j.dora;

import org.jspecify.annotations.NullMarked;
