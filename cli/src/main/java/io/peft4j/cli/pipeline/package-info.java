/**
 * A pipeline: stages of training one after another, their YAML file, what of them is done, and
 * their report. Knows no flags and prints nothing.
 */
@NullMarked
package io.peft4j.cli.pipeline;

import org.jspecify.annotations.NullMarked;
