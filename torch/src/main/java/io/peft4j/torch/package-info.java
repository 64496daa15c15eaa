@NullMarked
package io.peft4j.torch;

import org.jspecify.annotations.NullMarked;
