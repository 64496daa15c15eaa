package io.peft4j.adapters;

/**
 * One linear weight of a base model that an adapter can attach to.
 *
 * @param path the dotted module path, such as {@code transformer.layers.0.attn.qkv_proj}: the
 *     module's name in a Hugging Face checkpoint, and the middle of PEFT's tensor keys
 * @param outFeatures the rows of the weight (out, in)
 * @param inFeatures the columns of the weight (out, in)
 * @param outputHead whether this is the model's output embedding, which {@code all-linear} leaves
 *     out
 */
public record Site(String path, long outFeatures, long inFeatures, boolean outputHead) {}
