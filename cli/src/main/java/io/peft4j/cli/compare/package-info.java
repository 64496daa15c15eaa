/**
 * A comparison as an experiment: a grid of runs, their files, what a resumed experiment keeps,
 * statistics over seeds, and reports. Knows no flags and prints nothing.
 */
@NullMarked
package io.peft4j.cli.compare;

import org.jspecify.annotations.NullMarked;
