/** Event files that TensorBoard reads. */
@NullMarked
package io.peft4j.tensorboard;

import org.jspecify.annotations.NullMarked;
