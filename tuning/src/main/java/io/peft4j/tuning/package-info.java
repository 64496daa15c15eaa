@NullMarked
package io.peft4j.tuning;

import org.jspecify.annotations.NullMarked;
