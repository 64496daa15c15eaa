/** Programs that show the library at work. */
@NullMarked
package io.peft4j.examples;

import org.jspecify.annotations.NullMarked;
