package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.transformer.BertBlock;
import ai.djl.nn.transformer.ScaledDotProductAttentionBlock;
import ai.djl.nn.transformer.TransformerEncoderBlock;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BlockReferencesTest {

    private static final Function<NDManager, NDList> ROWS =
            manager -> new NDList(manager.randomNormal(new Shape(2, 5)));
    private static final Function<NDManager, NDList> SEQUENCE =
            manager -> new NDList(manager.randomNormal(new Shape(2, 3, 8)));

    /** The tree, its input, how many linear layers it has, how many references to each. */
    static List<Arguments> trees() {
        return List.of(
                Arguments.of("sequence with lambda", sequence(), ROWS, 2, 1),
                Arguments.of("parallel", parallel(), ROWS, 3, 1),
                Arguments.of("attention", attention(), SEQUENCE, 4, 2),
                Arguments.of("encoder", encoder(), SEQUENCE, 6, 0),
                Arguments.of("BERT", bert(), tokens(), 13, 0),
                Arguments.of("residual network", residual(), images(), 2, 1));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("trees")
    void everyNewLayerIsCalledAndEveryNameStays(
            String name, Block tree, Function<NDManager, NDList> input, int layers, int each) {
        Map<Linear, CountingLinear> layersByOld = CountingLinear.forEvery(tree);
        assertThat(layersByOld).hasSize(layers);
        List<String> names = names(tree);

        BlockReferences references = BlockReferences.replace(tree, layersByOld);

        assertThat(references.unreached()).isEmpty();
        assertThat(names(tree)).isEqualTo(names);
        assertThat(paths(tree).values())
                .noneMatch(block -> block.getClass() == Linear.class)
                .containsAll(layersByOld.values());
        if (each > 0) {
            assertThat(layersByOld.keySet())
                    .allSatisfy(old -> assertThat(references.replaced(old)).isEqualTo(each));
        }
        try (NDManager manager = NDManager.newBaseManager()) {
            NDList inputs = input.apply(manager);
            tree.initialize(manager, DataType.FLOAT32, inputs.getShapes());
            tree.forward(new ParameterStore(manager, false), inputs, false);
        }
        assertThat(layersByOld.values())
                .allSatisfy(layer -> assertThat(layer.calls()).isEqualTo(1));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("trees")
    void undoRestoresEveryReference(String name, Block tree) throws Exception {
        TreeSnapshot before = TreeSnapshot.of(tree);
        BlockReferences references = BlockReferences.replace(tree, CountingLinear.forEvery(tree));
        assertThatThrownBy(before::assertUnchanged).isInstanceOf(AssertionError.class);

        references.undo();
        before.assertUnchanged();
        references.undo();
        before.assertUnchanged();
    }

    @Test
    void aLayerOfAttentionIsReplacedInItsFieldAndAmongTheChildren() {
        BertBlock bert = bert();
        Map<Linear, CountingLinear> layers = CountingLinear.forEvery(bert);
        BlockReferences references = BlockReferences.replace(bert, layers);
        // 2 encoders of 4 projections kept in a field, too, and 2 kept only as children; the
        // pooling
        assertThat(layers.keySet().stream().mapToInt(references::replaced).sum())
                .isEqualTo(2 * (4 * 2 + 2) + 2);
    }

    @Test
    void onlyTheNamedLayersAreReplaced() {
        ScaledDotProductAttentionBlock attention = attention();
        Linear query = attention.getQueryProjection();
        Linear key = attention.getKeyProjection();
        CountingLinear layer = CountingLinear.like(query);

        BlockReferences references = BlockReferences.replace(attention, Map.of(query, layer));

        assertThat(attention.getQueryProjection()).isSameAs(layer);
        assertThat(attention.getKeyProjection()).isSameAs(key);
        assertThat(references.replaced(query)).isEqualTo(2);
        assertThat(references.replaced(key)).isZero();
    }

    @Test
    void aLayerSharedByTwoParentsIsReplacedInBoth() {
        Linear shared = KeptBlock.linear();
        SequentialBlock left = new SequentialBlock().add(shared);
        SequentialBlock right = new SequentialBlock().add(shared);
        SequentialBlock tree = new SequentialBlock().add(left).add(right);
        CountingLinear layer = CountingLinear.like(shared);

        BlockReferences references = BlockReferences.replace(tree, Map.of(shared, layer));

        assertThat(left.getChildren().valueAt(0)).isSameAs(layer);
        assertThat(right.getChildren().valueAt(0)).isSameAs(layer);
        assertThat(references.replaced(shared)).isEqualTo(2);
    }

    @Test
    void whatTheUserChangedMeanwhileSurvivesUndo() {
        Linear first = KeptBlock.linear();
        Linear last = KeptBlock.linear();
        SequentialBlock tree = new SequentialBlock().add(first).add(last);
        BlockReferences references = BlockReferences.replace(tree, CountingLinear.forEvery(tree));
        Linear added = KeptBlock.linear();
        tree.replaceLastBlock(added);

        references.undo();

        assertThat(tree.getChildren().values()).containsExactly(first, added);
    }

    @Test
    void theRootCanOnlyBeReported() {
        Linear root = KeptBlock.linear();
        BlockReferences references =
                BlockReferences.replace(root, Map.of(root, CountingLinear.like(root)));
        assertThat(references.replaced(root)).isZero();
        assertThat(references.unreached())
                .singleElement()
                .satisfies(left -> assertThat(left.block()).isSameAs(root));
    }

    @Test
    void oneNewLayerForTwoOldOnesIsRefused() {
        SequentialBlock tree = sequence();
        CountingLinear layer = CountingLinear.like(KeptBlock.linear());
        Map<Linear, Linear> layers = new LinkedHashMap<>();
        CountingLinear.forEvery(tree).keySet().forEach(old -> layers.put(old, layer));
        assertThatThrownBy(() -> BlockReferences.replace(tree, layers))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("a new block of its own for every old block");
    }

    /** The path of every block, in order, made of the names that parents know children by. */
    private static List<String> names(Block tree) {
        return List.copyOf(paths(tree).keySet());
    }

    private static Map<String, Block> paths(Block tree) {
        Map<String, Block> paths = new LinkedHashMap<>();
        collect("", tree, paths);
        return paths;
    }

    private static void collect(String path, Block block, Map<String, Block> paths) {
        paths.put(path, block);
        block.getChildren()
                .forEach(child -> collect(path + "/" + child.getKey(), child.getValue(), paths));
    }

    private static SequentialBlock sequence() {
        return new SequentialBlock()
                .add(Linear.builder().setUnits(7).build())
                .add(Activation::relu)
                .add(Linear.builder().setUnits(3).optBias(false).build());
    }

    private static ParallelBlock parallel() {
        List<Block> branches = new ArrayList<>();
        branches.add(Linear.builder().setUnits(3).build());
        branches.add(sequence());
        return new ParallelBlock(BlockReferencesTest::sum, branches);
    }

    private static NDList sum(List<NDList> branches) {
        NDArray sum = branches.get(0).head();
        for (NDList branch : branches.subList(1, branches.size())) {
            sum = NDArrays.add(sum, branch.head());
        }
        return new NDList(sum);
    }

    private static ScaledDotProductAttentionBlock attention() {
        return ScaledDotProductAttentionBlock.builder().setEmbeddingSize(8).setHeadCount(2).build();
    }

    private static TransformerEncoderBlock encoder() {
        return new TransformerEncoderBlock(8, 2, 16, 0.1f, Activation::gelu);
    }

    private static BertBlock bert() {
        return BertBlock.builder()
                .setTokenDictionarySize(30)
                .optTransformerBlockCount(2)
                .optEmbeddingSize(8)
                .optHiddenSize(16)
                .optAttentionHeadCount(2)
                .optMaxSequenceLength(6)
                .build();
    }

    private static Function<NDManager, NDList> tokens() {
        return manager ->
                new NDList(
                        manager.ones(new Shape(2, 6), DataType.INT64),
                        manager.zeros(new Shape(2, 6), DataType.INT64),
                        manager.ones(new Shape(2, 6), DataType.INT64));
    }

    /** Two residual units of convolutions and a two-layer head, as DJL's ResNet is put together. */
    private static SequentialBlock residual() {
        return new SequentialBlock()
                .add(convolution())
                .add(unit())
                .add(unit())
                .add(Blocks.batchFlattenBlock())
                .add(Linear.builder().setUnits(5).build())
                .add(Activation::relu)
                .add(Linear.builder().setUnits(2).build());
    }

    private static ParallelBlock unit() {
        return new ParallelBlock(
                BlockReferencesTest::sum,
                List.of(
                        new SequentialBlock().add(convolution()).add(BatchNorm.builder().build()),
                        Blocks.identityBlock()));
    }

    private static Conv2d convolution() {
        return Conv2d.builder()
                .setKernelShape(new Shape(3, 3))
                .setFilters(2)
                .optPadding(new Shape(1, 1))
                .build();
    }

    private static Function<NDManager, NDList> images() {
        return manager -> new NDList(manager.randomNormal(new Shape(2, 1, 4, 4)));
    }
}
