/**
 * Jinja2 as transformers uses it for chat templates: the whole expression language, {@code if},
 * {@code for}, {@code set}, {@code macro}, {@code break}, {@code continue}, {@code raw} and {@code
 * generation}, with Python's values. What Python refuses is refused, with the line; nothing is left
 * out of a text in silence.
 */
@NullMarked
package io.peft4j.jinja;

import org.jspecify.annotations.NullMarked;
