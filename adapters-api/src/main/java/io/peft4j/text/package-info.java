/** Strict JSON and near names, for messages that help. */
@NullMarked
package io.peft4j.text;

import org.jspecify.annotations.NullMarked;
