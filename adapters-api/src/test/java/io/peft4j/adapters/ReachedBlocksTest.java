package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.modality.nlp.embedding.TrainableWordEmbedding;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.core.LinearCollection;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.function.BiFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What reads its weight from the store is adapted; what does not is named. */
class ReachedBlocksTest {

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void aBlockThatReadsItsParameterItselfIsNamedWithTheRemedy() {
        Block base = with(Weights.read((weight, store) -> weight.getArray()));
        try (AdaptedModel adapted = Adapters.attach(base, MatrixUpdateConfig.of(2, "w", "good"))) {
            assertThatThrownBy(() -> run(adapted.block(), x(), true))
                    .isInstanceOf(UnreachedWeightException.class)
                    .hasMessageContaining("own.w")
                    .hasMessageContaining("getValue")
                    .hasMessageContaining("allowUnusedSites")
                    .satisfies(e -> assertThat(e.getMessage()).doesNotContain("good"));
        }
    }

    @Test
    void aLayerThatIsCalledWithAStoreOfItsOwnIsNamed() {
        Linear layer = Linear.builder().setUnits(4).build();
        Block base =
                new SequentialBlock()
                        .add(Linear.builder().setUnits(4).build())
                        .add(new Holder(layer));
        base.initialize(manager, DataType.FLOAT32, x().getShape());
        try (AdaptedModel adapted =
                Adapters.attach(base, MatrixUpdateConfig.of(2, "Linear", "held"))) {
            assertThatThrownBy(() -> run(adapted.block(), x(), false))
                    .isInstanceOf(UnreachedWeightException.class)
                    .hasMessageContaining("held");
        }
    }

    /** Calls its layer past the store it is given. */
    private static final class Holder extends UserBlocks.Steps {

        private final Linear layer;

        Holder(Linear layer) {
            this.layer = addChildBlock("held", layer);
        }

        @Override
        NDList steps(ParameterStore store, NDList x, boolean training) {
            ParameterStore own = new ParameterStore(x.head().getManager(), false);
            return layer.forward(own, x, training);
        }

        @Override
        protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
            layer.initialize(manager, type, shapes);
        }
    }

    @Test
    void aModelThatUsesOnlySomeModulesIsAcceptedWhenSaid() {
        boolean[] second = {false};
        Linear one = Linear.builder().setUnits(4).build();
        Linear two = Linear.builder().setUnits(4).build();
        Block base = new Choice(one, two, second);
        base.initialize(manager, DataType.FLOAT32, x().getShape());
        try (AdaptedModel adapted = Adapters.attach(base, MatrixUpdateConfig.of(2, "one", "two"))) {
            assertThatThrownBy(() -> run(adapted.block(), x(), false))
                    .isInstanceOf(UnreachedWeightException.class)
                    .hasMessageContaining("two");
            adapted.allowUnusedSites();
            randomise(adapted);
            NDArray x = x();
            assertThat(run(adapted.block(), x, false).toFloatArray())
                    .isNotEqualTo(run(base, x, false).toFloatArray());
            second[0] = true;
            assertThat(run(adapted.block(), x, false).toFloatArray())
                    .isNotEqualTo(run(base, x, false).toFloatArray());
        }
    }

    /** Uses one of its layers. */
    private static final class Choice extends UserBlocks.Steps {

        private final Linear one;
        private final Linear two;
        private final boolean[] second;

        Choice(Linear one, Linear two, boolean[] second) {
            this.one = addChildBlock("one", one);
            this.two = addChildBlock("two", two);
            this.second = second;
        }

        @Override
        NDList steps(ParameterStore store, NDList x, boolean training) {
            return (second[0] ? two : one).forward(store, x, training);
        }

        @Override
        protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
            one.initialize(manager, type, shapes);
            two.initialize(manager, type, shapes);
        }
    }

    @Test
    void weightsOfThreeAxesAndGainsOfNormsAreNoSites() {
        SequentialBlock collection =
                new SequentialBlock().add(LinearCollection.builder().setUnits(3).build());
        collection.initialize(manager, DataType.FLOAT32, new Shape(2, 5, 4));
        assertThat(Adapters.sites(collection)).isEmpty();
        assertThatThrownBy(
                        () ->
                                Adapters.attach(
                                        collection, MatrixUpdateConfig.of(2, "LinearCollection")))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("LinearCollection has no weight");
        Block norm = LayerNorm.builder().axis(1, 2).build();
        norm.initialize(manager, DataType.FLOAT32, new Shape(2, 3, 4));
        assertThat(norm.getParameters().get("gamma").getArray().getShape().dimension())
                .isEqualTo(2);
        assertThat(Adapters.sites(norm)).isEmpty();
    }

    @Test
    void wordsAreNumberedAsBeforeAndLookedUpInTheAdaptedTable() {
        TrainableWordEmbedding words = DjlBlocks.words();
        Block base = new SequentialBlock().add(words);
        base.initialize(manager, DataType.FLOAT32, new Shape(2));
        NDArray ids = words.embed(manager, new String[] {"two", "unknown"});
        float[] before = run(base, ids, false).toFloatArray();
        try (AdaptedModel adapted =
                Adapters.attach(base, MatrixUpdateConfig.of(2, "TrainableWordEmbedding"))) {
            randomise(adapted);
            assertThat(words.embed(manager, new String[] {"two", "unknown"})).isEqualTo(ids);
            assertThat(run(adapted.block(), ids, false).toFloatArray()).isNotEqualTo(before);
        }
    }

    @Test
    void dropoutIsRefusedInTrainingWhereOnlyTheWeightIsReached() {
        Block base = new UserBlocks.Captured();
        base.initialize(manager, DataType.FLOAT32, x().getShape());
        try (AdaptedModel adapted =
                Adapters.attach(base, MatrixUpdateConfig.of(2, "layer").withDropout(0.1))) {
            assertThat(run(adapted.block(), x(), false).getShape()).isEqualTo(new Shape(3, 4));
            assertThatThrownBy(() -> run(adapted.block(), x(), true))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("layer")
                    .hasMessageContaining("dropout 0.1");
        }
    }

    @Test
    void halfPrecisionWeightsAreAdaptedInFloat32AndRoundedOnce() {
        Block base =
                new SequentialBlock()
                        .add(Linear.builder().setUnits(4).build())
                        .add(Linear.builder().setUnits(2).optBias(false).build());
        base.initialize(manager, DataType.FLOAT16, x().getShape());
        try (AdaptedModel adapted =
                        Adapters.attach(base, MatrixUpdateConfig.of(2, "01Linear", "02Linear"));
                GradMode on = GradMode.enabled()) {
            randomise(adapted);
            NDArray x = x().toType(DataType.FLOAT16, true);
            NDArray y = run(adapted.block(), x, true);
            assertThat(y.getDataType()).isEqualTo(DataType.FLOAT16);
            Gradients.backward(y, y.onesLike());
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, p) ->
                                    assertThat(p.getArray().getGradient().abs().sum().getFloat())
                                            .as(key)
                                            .isPositive());
            adapted.merge();
            assertThat(run(adapted.block(), x, false).toType(DataType.FLOAT32, true).toFloatArray())
                    .isEqualTo(y.toType(DataType.FLOAT32, true).toFloatArray());
        }
    }

    @Test
    void whatABlockComputesWithItsWeightFirstDoesNotStayInTheModel() {
        Block base =
                with(
                        Weights.read(
                                (weight, store) ->
                                        store.getValue(weight, manager.getDevice(), true)
                                                .mul(
                                                        store.getValue(
                                                                weight,
                                                                manager.getDevice(),
                                                                true))));
        try (AdaptedModel adapted = Adapters.attach(base, MatrixUpdateConfig.of(2, "good"))) {
            int before = count();
            for (int i = 0; i < 50; i++) {
                try (NDManager batch = manager.newSubManager()) {
                    run(adapted.block(), batch.ones(new Shape(3, 4)), i % 2 == 0);
                }
            }
            assertThat(count()).isEqualTo(before);
        }
    }

    private int count() {
        return manager.getManagedArrays().size();
    }

    @Test
    void anNdScopeOfTheCallerClosesAllThatAPassMade() {
        Block base = DjlBlocks.bert();
        NDList tokens = DjlBlocks.tokens(manager);
        base.initialize(manager, DataType.FLOAT32, tokens.getShapes());
        try (AdaptedModel adapted = Adapters.attach(base, MatrixUpdateConfig.of(2, "01Linear"))) {
            int before = count();
            for (int i = 0; i < 10; i++) {
                try (NDScope scope = new NDScope()) {
                    adapted.block().forward(new ParameterStore(manager, false), tokens, true);
                }
            }
            assertThat(count()).isEqualTo(before);
        }
    }

    @Test
    void aBaseThatIsFedTheLabelsInTrainingGetsThem() {
        Block base = new FedLabels();
        base.initialize(manager, DataType.FLOAT32, x().getShape());
        try (AdaptedModel adapted = Adapters.attach(base, MatrixUpdateConfig.of(2, "layer"))) {
            NDArray x = x();
            NDArray label = manager.full(new Shape(3, 4), 5f);
            ParameterStore store = new ParameterStore(manager, false);
            NDArray y =
                    adapted.block()
                            .forward(store, new NDList(x), new NDList(label), null)
                            .singletonOrThrow();
            NDArray without = run(adapted.block(), x, true);
            assertThat(y.sub(without).mean().getFloat()).isCloseTo(5f, within(1e-5f));
        }
    }

    /** Adds the labels to its output, where there are any. */
    private static final class FedLabels extends UserBlocks.Steps {

        private final Linear layer = addChildBlock("layer", Linear.builder().setUnits(4).build());

        @Override
        NDList steps(ParameterStore store, NDList x, boolean training) {
            return layer.forward(store, x, training);
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList x, NDList labels, PairList<String, Object> p) {
            return new NDList(steps(store, x, true).singletonOrThrow().add(labels.head()));
        }

        @Override
        protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
            layer.initialize(manager, type, shapes);
        }
    }

    /** A weight of its own, read as the function says: x · W. */
    private static final class Weights extends AbstractBlock {

        private final Parameter weight;
        private final BiFunction<Parameter, ParameterStore, NDArray> reader;

        private Weights(BiFunction<Parameter, ParameterStore, NDArray> reader) {
            this.reader = reader;
            weight =
                    addParameter(
                            Parameter.builder()
                                    .setName("w")
                                    .setType(Parameter.Type.WEIGHT)
                                    .optShape(new Shape(4, 4))
                                    .build());
        }

        static Weights read(BiFunction<Parameter, ParameterStore, NDArray> reader) {
            return new Weights(reader);
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList x, boolean training, PairList<String, Object> p) {
            return new NDList(x.head().matMul(reader.apply(weight, store)));
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return shapes;
        }
    }

    private Block with(Weights weights) {
        Linear good = Linear.builder().setUnits(4).build();
        Block base =
                new UserBlocks.Steps() {
                    {
                        addChildBlock("good", good);
                        addChildBlock("own", weights);
                    }

                    @Override
                    NDList steps(ParameterStore store, NDList x, boolean training) {
                        return weights.forward(store, good.forward(store, x, training), training);
                    }

                    @Override
                    protected void initializeChildBlocks(
                            NDManager m, DataType type, Shape... shapes) {
                        good.initialize(m, type, shapes);
                        weights.initialize(m, type, shapes);
                    }
                };
        base.initialize(manager, DataType.FLOAT32, x().getShape());
        return base;
    }

    private NDArray x() {
        return manager.randomNormal(new Shape(3, 4));
    }

    private NDArray run(Block block, NDArray x, boolean training) {
        return block.forward(new ParameterStore(manager, false), new NDList(x), training)
                .singletonOrThrow();
    }

    private static void randomise(AdaptedModel adapted) {
        for (Parameter parameter : adapted.adapter().parameters().values()) {
            NDArray array = parameter.getArray();
            Tensors.copy(array.getManager().randomNormal(array.getShape()), array);
        }
    }
}
