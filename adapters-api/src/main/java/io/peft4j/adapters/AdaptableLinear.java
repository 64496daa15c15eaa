package io.peft4j.adapters;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.djl.util.Preconditions;
import io.peft4j.torch.BFloat16;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer that asks for its adapters' fast form: \(Y = XW^T + b\), or \(Y = XW'^T + b'\)
 * below an {@link AdaptedModel}. Models that are written for adapters use it; DJL's own {@link
 * Linear} is served as well, wherever it is in a model.
 *
 * <p>Shapes: X (…, in), W (out, in), b (out), Y (…, out). The weight and bias are base parameters;
 * {@link Adapters#attach} freezes them.
 */
public final class AdaptableLinear extends AbstractBlock {

    private static final byte VERSION = 1;

    private final long inFeatures;
    private final long outFeatures;
    private final boolean outputHead;
    private final boolean addedToBase;
    private final boolean tied;
    private final Parameter weight;
    private final @Nullable Parameter bias;

    private AdaptableLinear(Builder builder) {
        super(VERSION);
        inFeatures = builder.inFeatures;
        outFeatures = builder.outFeatures;
        outputHead = builder.outputHead;
        addedToBase = builder.addedToBase;
        AdaptableEmbedding owner = builder.tiedTo;
        tied = owner != null;
        weight =
                owner != null
                        ? owner.weight()
                        : addParameter(
                                Parameter.builder()
                                        .setName("weight")
                                        .setType(Parameter.Type.WEIGHT)
                                        .optShape(new Shape(outFeatures, inFeatures))
                                        .build());
        bias =
                builder.bias
                        ? addParameter(
                                Parameter.builder()
                                        .setName("bias")
                                        .setType(Parameter.Type.BIAS)
                                        .optShape(new Shape(outFeatures))
                                        .build())
                        : null;
    }

    /**
     * Returns the base weight.
     *
     * @return W (out, in)
     */
    public Parameter weight() {
        return weight;
    }

    /**
     * Returns the base bias.
     *
     * @return b (out), or null if there is none
     */
    public @Nullable Parameter bias() {
        return bias;
    }

    /**
     * Tells what the adapters in effect add to this layer, for a model that computes them itself.
     *
     * @param store where parameters are read from: what {@link AdaptedModel#store} gave, or any
     *     other for no adapters
     * @param device where the pass runs
     * @param training whether dropout is on and gradients will be asked for
     * @return the updates, which add to each other and to \(x W^T\), none if no adapter changes the
     *     layer; null if one does in a way that has no such form
     */
    public @Nullable List<LowRankUpdate> lowRankUpdates(
            ParameterStore store, Device device, boolean training) {
        return store instanceof AdaptedStore adapted
                ? adapted.lowRankUpdates(use(), weight, bias, device, training)
                : List.of();
    }

    /** Tells whether the layer is no part of what a base model is known by. */
    boolean isAddedToBase() {
        return addedToBase;
    }

    /** Tells whether the weight belongs to an embedding. */
    boolean isTied() {
        return tied;
    }

    /** What adapters of this layer alone are known by: the parameter, if it is the layer's own. */
    Object use() {
        return tied ? this : weight;
    }

    Site site(String path) {
        return Site.linear(path, outFeatures, inFeatures, outputHead);
    }

    /** {@inheritDoc} */
    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
        BFloat16.requireUsable("AdaptableLinear.initialize", dataType);
        super.initialize(manager, dataType, inputShapes);
    }

    /** {@inheritDoc} */
    @Override
    public void saveParameters(DataOutputStream os) throws IOException {
        BFloat16.requireNone("AdaptableLinear.saveParameters", getParameters());
        super.saveParameters(os);
    }

    /** {@inheritDoc} */
    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray x = inputs.singletonOrThrow();
        if (parameterStore instanceof AdaptedStore adapted) {
            return new NDList(adapted.linear(use(), weight, bias, x, training));
        }
        Device device = x.getDevice();
        NDArray w = parameterStore.getValue(weight, device, training);
        NDArray b = bias == null ? null : parameterStore.getValue(bias, device, training);
        return Linear.linear(x, w, b);
    }

    /** {@inheritDoc} */
    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        Shape input = inputShapes[0];
        return new Shape[] {input.slice(0, input.dimension() - 1).add(outFeatures)};
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link AdaptableLinear}. */
    public static final class Builder {

        private long inFeatures;
        private long outFeatures;
        private boolean bias;
        private boolean outputHead;
        private boolean addedToBase;
        private @Nullable AdaptableEmbedding tiedTo;

        private Builder() {}

        /**
         * Sets the required number of input and output features.
         *
         * @param in the columns of the weight
         * @param out the rows of the weight
         * @return this builder
         */
        public Builder setFeatures(long in, long out) {
            inFeatures = in;
            outFeatures = out;
            return this;
        }

        /**
         * Sets whether there is a bias; there is none unless asked.
         *
         * @param hasBias whether there is a bias
         * @return this builder
         */
        public Builder optBias(boolean hasBias) {
            bias = hasBias;
            return this;
        }

        /**
         * Marks the model's output embedding, which {@code all-linear} leaves out.
         *
         * @param head whether this is the output embedding
         * @return this builder
         */
        public Builder optOutputHead(boolean head) {
            outputHead = head;
            return this;
        }

        /**
         * Marks a head that was added to a base model, such as a score's: {@code all-linear} leaves
         * it out, and the model's {@linkplain AdaptedModel#baseFingerprint fingerprint} is what it
         * was without it.
         *
         * @param added whether this was added
         * @return this builder
         */
        public Builder optAddedToBase(boolean added) {
            addedToBase = added;
            outputHead = outputHead || added;
            return this;
        }

        /**
         * Makes this the output head that uses an embedding's table as its weight and has none of
         * its own. An adapter on one of the two leaves the other as it is, unless it is kept tied.
         *
         * @param embedding the table (out, in), which must be in the same model
         * @return this builder
         */
        public Builder optTiedTo(AdaptableEmbedding embedding) {
            tiedTo = embedding;
            outputHead = true;
            return this;
        }

        /**
         * Builds the layer.
         *
         * @return the layer, not initialised
         * @throws IllegalArgumentException if the features are not positive or not those of the
         *     embedding
         */
        public AdaptableLinear build() {
            Preconditions.checkArgument(
                    inFeatures > 0 && outFeatures > 0,
                    "features must be positive, but were in="
                            + inFeatures
                            + ", out="
                            + outFeatures);
            if (tiedTo != null) {
                Shape table = tiedTo.weight().getShape();
                Preconditions.checkArgument(
                        table.equals(new Shape(outFeatures, inFeatures)),
                        "a tied head needs features of its embedding "
                                + table
                                + ", but were in="
                                + inFeatures
                                + ", out="
                                + outFeatures);
            }
            return new AdaptableLinear(this);
        }
    }
}
