package io.peft4j.adapters;

import ai.djl.ndarray.types.Shape;
import java.util.List;

/**
 * One weight of a base model that an adapter can attach to.
 *
 * <p>Methods see every weight as a matrix (out, in), so that they need not know the kinds apart: a
 * convolution's kernel is flattened behind its first axis, and a weight that is stored (in, out),
 * as an embedding's, is transposed.
 *
 * @param path the dotted module path, such as {@code transformer.layers.0.attn.qkv_proj}: the
 *     module's name in a Hugging Face checkpoint, and the middle of PEFT's tensor keys; of a {@link
 *     Kind#MATRIX} it ends with the parameter's name, unless that is {@code weight}
 * @param kind what the weight is used for
 * @param shape the weight's shape as it is stored
 * @param transposed whether the weight is stored (in, out)
 * @param outputHead whether this is the model's output embedding, which {@code all-linear} leaves
 *     out
 * @param tiedTo the paths of other modules that use the same weight, such as the output head of a
 *     model whose embedding it is; an adapter changes this module alone, unless it is kept tied
 */
public record Site(
        String path,
        Kind kind,
        Shape shape,
        boolean transposed,
        boolean outputHead,
        List<String> tiedTo) {

    /** What a weight is used for. */
    public enum Kind {
        /** A linear layer's weight (out, in). */
        LINEAR,
        /** A convolution's kernel (out, in, …). */
        CONV,
        /**
         * The kernel (out, in / groups, …) of a convolution whose outputs see the inputs of their
         * own group only.
         */
        GROUPED_CONV,
        /** An embedding's table (entries, dimension): out is the dimension, in the entries. */
        EMBEDDING,
        /** Any other parameter of two axes, such as a recurrent layer's. */
        MATRIX
    }

    /** Copies the list. */
    public Site {
        tiedTo = List.copyOf(tiedTo);
    }

    /**
     * Describes a linear layer's weight.
     *
     * @param path the dotted module path
     * @param outFeatures the rows of the weight
     * @param inFeatures the columns of the weight
     * @param outputHead whether it is the model's output embedding
     * @return the site
     */
    public static Site linear(String path, long outFeatures, long inFeatures, boolean outputHead) {
        Shape shape = new Shape(outFeatures, inFeatures);
        return new Site(path, Kind.LINEAR, shape, false, outputHead, List.of());
    }

    /**
     * Returns the rows of the weight as a matrix.
     *
     * @return out
     */
    public long outFeatures() {
        if (shape.dimension() == 0) {
            return 1;
        }
        return shape.get(transposed ? shape.dimension() - 1 : 0);
    }

    /**
     * Returns the columns of the weight as a matrix.
     *
     * @return in
     */
    public long inFeatures() {
        return shape.size() / outFeatures();
    }

    Site tiedTo(List<String> modules) {
        return new Site(path, kind, shape, transposed, outputHead, modules);
    }

    Site storedInOut() {
        return new Site(path, kind, shape, true, outputHead, tiedTo);
    }
}
