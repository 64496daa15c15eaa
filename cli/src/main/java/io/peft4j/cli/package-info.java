@NullMarked
package io.peft4j.cli;

import org.jspecify.annotations.NullMarked;
