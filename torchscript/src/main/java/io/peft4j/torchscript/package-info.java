/** Adapters on TorchScript archives: read, adapted and written again, without Python. */
@NullMarked
package io.peft4j.torchscript;

import org.jspecify.annotations.NullMarked;
