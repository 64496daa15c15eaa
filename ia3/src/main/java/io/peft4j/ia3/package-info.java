/** (IA)³: a trained factor for each output of a layer, or for each of its inputs. */
@NullMarked
package io.peft4j.ia3;

import org.jspecify.annotations.NullMarked;
