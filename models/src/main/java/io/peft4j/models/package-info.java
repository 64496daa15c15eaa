@NullMarked
package io.peft4j.models;

import org.jspecify.annotations.NullMarked;
