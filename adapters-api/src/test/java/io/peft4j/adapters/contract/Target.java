package io.peft4j.adapters.contract;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.recurrent.LSTM;
import io.peft4j.adapters.AdaptableEmbedding;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.Site;
import java.util.List;

/** The layers that an adapter is put on, and so the way in which its weights take effect. */
public enum Target {
    /** DJL's own linear layers, which give way to adapted ones. */
    LINEAR(Site.Kind.LINEAR, true, new Shape(2, 3, 6)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.inARow(linear(5, bias), linear(7, bias));
        }
    },
    /** Linear layers that know of adapters. */
    ADAPTABLE_LINEAR(Site.Kind.LINEAR, true, new Shape(2, 3, 6)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.inARow(
                    AdaptableLinear.builder().setFeatures(6, 5).optBias(bias).build(),
                    AdaptableLinear.builder().setFeatures(5, 7).optBias(bias).build());
        }
    },
    /** DJL's linear layers where nothing can take their place, so that the store serves them. */
    LINEAR_IN_A_LAMBDA(Site.Kind.LINEAR, true, new Shape(2, 3, 6)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.inLambdas(linear(5, bias), linear(7, bias));
        }
    },
    /** Kernels (out, in, width). */
    CONVOLUTION(Site.Kind.CONV, true, new Shape(2, 3, 6)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.inARow(convolution(4, bias), convolution(2, bias));
        }
    },
    /** DJL's own embeddings. */
    EMBEDDING(Site.Kind.EMBEDDING, false, new Shape(2, 4)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.sideBySide(new IdEmbedding(ENTRIES, 5), new IdEmbedding(ENTRIES, 3));
        }
    },
    /** Embeddings that know of adapters. */
    ADAPTABLE_EMBEDDING(Site.Kind.EMBEDDING, false, new Shape(2, 4)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.sideBySide(
                    new AdaptableEmbedding(ENTRIES, 5, List.of()),
                    new AdaptableEmbedding(ENTRIES, 3, List.of()));
        }
    },
    /** A recurrent layer's matrices, two in each layer. */
    RECURRENT(Site.Kind.MATRIX, true, new Shape(2, 3, 6)) {
        @Override
        TwoLayers create(boolean bias) {
            return TwoLayers.inARow(recurrent(4, bias), recurrent(3, bias));
        }
    };

    static final int ENTRIES = 9;

    private final Site.Kind kind;
    private final boolean biased;
    private final Shape input;

    Target(Site.Kind kind, boolean biased, Shape input) {
        this.kind = kind;
        this.biased = biased;
        this.input = input;
    }

    /** Creates the layers, not initialised. */
    abstract TwoLayers create(boolean bias);

    /**
     * Returns what kind of weight is adapted.
     *
     * @return the kind
     */
    public Site.Kind kind() {
        return kind;
    }

    /** Tells whether the layers can have biases. */
    boolean isBiased() {
        return biased;
    }

    Shape input() {
        return input;
    }

    DataType inputType() {
        return kind == Site.Kind.EMBEDDING ? DataType.INT64 : DataType.FLOAT32;
    }

    private static Block linear(long units, boolean bias) {
        return Linear.builder().setUnits(units).optBias(bias).build();
    }

    private static Block convolution(int filters, boolean bias) {
        return Conv1d.builder()
                .setFilters(filters)
                .setKernelShape(new Shape(3))
                .optPadding(new Shape(1))
                .optBias(bias)
                .build();
    }

    private static Block recurrent(int units, boolean bias) {
        return LSTM.builder()
                .setStateSize(units)
                .setNumLayers(1)
                .optBatchFirst(true)
                .optHasBiases(bias)
                .build();
    }
}
