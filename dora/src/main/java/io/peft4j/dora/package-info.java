@NullMarked
package io.peft4j.dora;

import org.jspecify.annotations.NullMarked;
