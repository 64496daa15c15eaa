package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.convolutional.Conv3d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import java.util.List;

/**
 * The modules that {@code make_block_goldens.py} and {@code make_block_inits.py} record, in DJL.
 */
public final class GoldenBlocks {

    private GoldenBlocks() {}

    /** embed = Embedding(11, 6), fc = Linear(6, 4); of {@link AdaptableEmbedding}. */
    public static Block tokens(String embedding) {
        return new GoldenBlock((m, x) -> m.call("fc", m.call(embedding, x)))
                .module(embedding, embedding(11, 6), 2, 5)
                .module("fc", linear(4), 2, 5, 6);
    }

    /** The same with DJL's own embedding, which reads its table from the store. */
    public static Block djlTokens(String embedding) {
        return new GoldenBlock((m, x) -> m.call("fc", m.call(embedding, x)))
                .module(embedding, new PlainEmbedding(11, 6), 2, 5)
                .module("fc", linear(4), 2, 5, 6);
    }

    /** fc(embed(ids) + kinds(ids % 5)). */
    public static Block twoEmbeddings() {
        return new GoldenBlock(
                        (m, x) -> m.call("fc", m.call("embed", x).add(m.call("kinds", x.mod(5)))))
                .module("embed", embedding(11, 6), 2, 5)
                .module("kinds", embedding(5, 6), 2, 5)
                .module("fc", linear(4), 2, 5, 6);
    }

    /** conv1 = Conv1d(3, 4, 3, stride 2, padding 1). */
    public static Block conv1d() {
        Conv1d.Builder conv = Conv1d.builder().setKernelShape(new Shape(3)).setFilters(4);
        return new GoldenBlock((m, x) -> m.call("conv1", x))
                .module(
                        "conv1",
                        conv.optStride(new Shape(2)).optPadding(new Shape(1)).build(),
                        2,
                        3,
                        9);
    }

    /** conv1 = Conv2d(3, 4, (3, 2), stride 2, padding 1). */
    public static Block conv2d() {
        return new GoldenBlock((m, x) -> m.call("conv1", x))
                .module("conv1", conv2d(4, new Shape(3, 2), 2, 1, 1), 2, 3, 6, 5);
    }

    /** conv1 = Conv2d(3, 4, 1) without a bias. */
    public static Block point() {
        Block conv =
                Conv2d.builder()
                        .setKernelShape(new Shape(1, 1))
                        .setFilters(4)
                        .optBias(false)
                        .build();
        return new GoldenBlock((m, x) -> m.call("conv1", x)).module("conv1", conv, 2, 3, 3, 3);
    }

    /** conv1 = Conv2d(4, 6, 3, padding 1, 2 groups). */
    public static Block groups() {
        return new GoldenBlock((m, x) -> m.call("conv1", x))
                .module("conv1", conv2d(6, new Shape(3, 3), 1, 1, 2), 2, 4, 4, 4);
    }

    /** conv1 = Conv3d(2, 3, (2, 3, 2), padding 1). */
    public static Block conv3d() {
        Block conv =
                Conv3d.builder()
                        .setKernelShape(new Shape(2, 3, 2))
                        .setFilters(3)
                        .optPadding(new Shape(1, 1, 1))
                        .build();
        return new GoldenBlock((m, x) -> m.call("conv1", x)).module("conv1", conv, 1, 2, 3, 3, 4);
    }

    /** fc(flatten(relu(conv1(x)))). */
    public static Block cnn() {
        return new GoldenBlock(
                        (m, x) ->
                                m.call(
                                        "fc",
                                        m.call("conv1", x)
                                                .getNDArrayInternal()
                                                .relu()
                                                .reshape(x.getShape().get(0), -1)))
                .module("conv1", conv2d(4, new Shape(3, 3), 2, 1, 1), 2, 2, 6, 6)
                .module("fc", linear(3), 2, 36);
    }

    /** fc3(tanh(fc2(tanh(fc1(x))))). */
    public static Block mlp() {
        return new GoldenBlock(
                        (m, x) -> m.call("fc3", m.call("fc2", m.call("fc1", x).tanh()).tanh()))
                .module("fc1", linear(6), 3, 5)
                .module("fc2", linear(6), 3, 6)
                .module("fc3", linear(4), 3, 6);
    }

    /** fc2(tanh(fc1(x))), weights (in, out). */
    public static Block transposed() {
        return new GoldenBlock((m, x) -> m.call("fc2", m.call("fc1", x).tanh()))
                .module("fc1", new TransposedLinear(5, 6), 3, 5)
                .module("fc2", new TransposedLinear(6, 4), 3, 6);
    }

    /** fc2(tanh(fc1(x))) of {@code make_block_inits.py}. */
    public static Block pair() {
        return new GoldenBlock((m, x) -> m.call("fc2", m.call("fc1", x).tanh()))
                .module("fc1", linear(8), 3, 6)
                .module("fc2", linear(5), 3, 8);
    }

    /** classifier(tanh(fc(mean of embed(ids)))), with a norm before fc or not. */
    public static Block classifier(boolean norm) {
        GoldenBlock block =
                new GoldenBlock(
                        (m, x) -> {
                            NDArray mean = m.call("embed", x).mean(new int[] {1});
                            NDArray normed = norm ? m.call("norm", mean) : mean;
                            return m.call("classifier", m.call("fc", normed).tanh());
                        });
        block.module("embed", embedding(13, 6), 3, 5);
        if (norm) {
            block.module("norm", LayerNorm.builder().axis(1).optEpsilon(1e-5f).build(), 3, 6);
        }
        return block.module("fc", linear(6), 3, 6).module("classifier", linear(3), 3, 6);
    }

    private static Block embedding(long entries, long dimension) {
        return new AdaptableEmbedding(entries, dimension, List.of());
    }

    private static Block linear(long units) {
        return Linear.builder().setUnits(units).build();
    }

    private static Block conv2d(int filters, Shape kernel, int stride, int padding, int groups) {
        return Conv2d.builder()
                .setKernelShape(kernel)
                .setFilters(filters)
                .optStride(new Shape(stride, stride))
                .optPadding(new Shape(padding, padding))
                .optGroups(groups)
                .build();
    }
}
