/** Fixtures for the tests of the other modules, and where they come from. */
@NullMarked
package io.peft4j.testdata;

import org.jspecify.annotations.NullMarked;
