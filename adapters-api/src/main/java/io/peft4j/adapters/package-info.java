@NullMarked
package io.peft4j.adapters;

import org.jspecify.annotations.NullMarked;
