/** Adapters for servers of language models: what each reads, and what it would get wrong. */
@NullMarked
package io.peft4j.serving;

import org.jspecify.annotations.NullMarked;
