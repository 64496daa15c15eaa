/**
 * What DJL's PyTorch engine lacks for fine-tuning: TorchScript modules written as text, an explicit
 * grad mode, and gradients without the process-wide gradient collector.
 */
@NullMarked
package io.peft4j.torch;

import org.jspecify.annotations.NullMarked;
