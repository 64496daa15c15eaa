package io.peft4j.models;

/**
 * The rotary positions of a model (Su et al., arXiv:2104.09864).
 *
 * @param theta the base of the wavelengths
 * @param dimensions how many of a head's dimensions are rotated, from the first; even
 * @param scaling how the frequencies were changed for longer texts
 */
record RotaryEmbedding(double theta, int dimensions, RotaryScaling scaling) {}
