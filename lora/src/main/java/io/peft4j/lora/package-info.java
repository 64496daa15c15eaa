/** LoRA: a low-rank update beside a frozen weight, and what other methods share with it. */
@NullMarked
package io.peft4j.lora;

import org.jspecify.annotations.NullMarked;
