/** The kernels one by one, each beside the same in plain DJL with autograd, timed by JMH. */
@NullMarked
package io.peft4j.benchmarks.kernels;

import org.jspecify.annotations.NullMarked;
