@NullMarked
package io.peft4j.lora;

import org.jspecify.annotations.NullMarked;
