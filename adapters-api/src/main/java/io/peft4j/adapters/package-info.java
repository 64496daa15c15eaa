/**
 * Adapters: small trainable parameters beside a frozen weight.
 *
 * <p>An adapter method is a set of small parameters and a differentiable function from a frozen
 * weight W to the effective weight W'. Everything here follows from that: attaching puts such a
 * function beside chosen weights, merging writes W' over W, and the fast forms of a method are
 * optimisations that must equal {@code x · W'ᵀ}.
 */
@NullMarked
package io.peft4j.adapters;

import org.jspecify.annotations.NullMarked;
