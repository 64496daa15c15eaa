/** Writes GGUF, the file format of llama.cpp. */
@NullMarked
package io.peft4j.gguf;

import org.jspecify.annotations.NullMarked;
