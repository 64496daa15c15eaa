/**
 * Files that survive a kill: atomic replacement, complete directories, and names that stay inside
 * their folder.
 */
@NullMarked
package io.peft4j.files;

import org.jspecify.annotations.NullMarked;
