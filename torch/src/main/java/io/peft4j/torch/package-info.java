/**
 * What DJL's PyTorch engine lacks for fine-tuning: TorchScript modules written as text, an explicit
 * grad mode, gradients without the process-wide gradient collector, and bfloat16 arrays.
 */
@NullMarked
package io.peft4j.torch;

import org.jspecify.annotations.NullMarked;
