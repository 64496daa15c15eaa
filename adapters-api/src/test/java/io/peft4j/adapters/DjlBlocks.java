package io.peft4j.adapters;

import ai.djl.modality.nlp.DefaultVocabulary;
import ai.djl.modality.nlp.embedding.TrainableWordEmbedding;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.convolutional.Conv3d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.recurrent.RNN;
import ai.djl.nn.transformer.BertBlock;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.nn.transformer.ScaledDotProductAttentionBlock;
import ai.djl.nn.transformer.TransformerEncoderBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * DJL's blocks and block trees as users write them.
 *
 * @param name what it is
 * @param block makes the tree, without values
 * @param input makes an input
 * @param sites its sites as {@code kind path shape}, in model order
 */
record DjlBlocks(
        String name, Supplier<Block> block, Function<NDManager, NDList> input, List<String> sites) {

    private static final Function<NDManager, NDList> ROWS =
            manager -> new NDList(manager.randomNormal(new Shape(3, KeptBlock.WIDTH)));
    private static final Function<NDManager, NDList> SEQUENCE =
            manager -> new NDList(manager.randomNormal(new Shape(2, 3, 8)));

    private static DjlBlocks of(
            String name,
            Supplier<Block> block,
            Function<NDManager, NDList> input,
            String... sites) {
        return new DjlBlocks(name, block, input, List.of(sites));
    }

    /** A linear layer's site. */
    private static String linear(String path, int out, int in) {
        return "LINEAR " + path + " (" + out + ", " + in + ")";
    }

    static List<DjlBlocks> all() {
        return List.of(
                of("a linear layer as the root", KeptBlock::linear, ROWS, linear("", 4, 4)),
                of(
                        "a sequence in a sequence",
                        DjlBlocks::nested,
                        ROWS,
                        linear("01Linear", 4, 4),
                        linear("SequentialBlock.01Linear", 4, 4),
                        linear("SequentialBlock.03Linear", 4, 4),
                        linear("04Linear", 4, 4)),
                of(
                        "parallel branches",
                        DjlBlocks::parallel,
                        ROWS,
                        linear("01Linear", 4, 4),
                        linear("02Linear", 4, 4)),
                of(
                        "private final fields",
                        UserBlocks.Mlp::new,
                        ROWS,
                        linear("up", 7, 4),
                        linear("down", 4, 7)),
                kept(
                        "a list",
                        () -> List.<Block>of(KeptBlock.linear(), KeptBlock.linear()),
                        kept -> kept),
                kept(
                        "an array",
                        () -> new Block[] {KeptBlock.linear(), KeptBlock.linear()},
                        Arrays::asList),
                kept(
                        "a map",
                        () ->
                                Map.<String, Block>of(
                                        "b", KeptBlock.linear(), "a", KeptBlock.linear()),
                        kept -> List.of(kept.get("a"), kept.get("b"))),
                of(
                        "a lambda that holds a layer",
                        UserBlocks.Captured::new,
                        ROWS,
                        linear("layer", 4, 4)),
                of(
                        "attention",
                        DjlBlocks::attention,
                        SEQUENCE,
                        linear("keyProjection", 8, 8),
                        linear("queryProjection", 8, 8),
                        linear("valueProjection", 8, 8),
                        linear("resultProjection", 8, 8)),
                of(
                        "a transformer's encoder",
                        () -> new TransformerEncoderBlock(8, 2, 6, 0f, Activation::gelu),
                        SEQUENCE,
                        encoder("")),
                of("BERT", DjlBlocks::bert, DjlBlocks::tokens, bertSites()),
                of(
                        "a residual network",
                        DjlBlocks::residual,
                        manager -> new NDList(manager.randomNormal(new Shape(2, 3, 4, 4))),
                        "CONV Conv2d (4, 3, 3, 3)",
                        "CONV 03ParallelBlock.SequentialBlock.01Conv2d (4, 4, 3, 3)",
                        "CONV 03ParallelBlock.SequentialBlock.04Conv2d (4, 4, 3, 3)",
                        "CONV 04ParallelBlock.SequentialBlock.01Conv2d (4, 4, 3, 3)",
                        "CONV 04ParallelBlock.SequentialBlock.04Conv2d (4, 4, 3, 3)",
                        linear("Linear", 3, 64)),
                of(
                        "grouped convolution",
                        () ->
                                alone(
                                        Conv2d.builder()
                                                .setFilters(4)
                                                .setKernelShape(new Shape(2, 2))
                                                .optGroups(2)
                                                .build()),
                        manager -> new NDList(manager.randomNormal(new Shape(2, 6, 4, 4))),
                        "GROUPED_CONV Conv2d (4, 3, 2, 2)"),
                of(
                        "convolution of one axis",
                        () ->
                                alone(
                                        Conv1d.builder()
                                                .setFilters(4)
                                                .setKernelShape(new Shape(2))
                                                .build()),
                        manager -> new NDList(manager.randomNormal(new Shape(2, 3, 5))),
                        "CONV Conv1d (4, 3, 2)"),
                of(
                        "convolution of three axes",
                        () ->
                                alone(
                                        Conv3d.builder()
                                                .setFilters(2)
                                                .setKernelShape(new Shape(2, 2, 2))
                                                .build()),
                        manager -> new NDList(manager.randomNormal(new Shape(1, 3, 3, 3, 3))),
                        "CONV Conv3d (2, 3, 2, 2, 2)"),
                of(
                        "LSTM",
                        () -> LSTM.builder().setStateSize(4).setNumLayers(2).build(),
                        SEQUENCE,
                        "MATRIX l_0_i2h_WEIGHT (16, 8)",
                        "MATRIX l_0_h2h_WEIGHT (16, 4)",
                        "MATRIX l_1_i2h_WEIGHT (16, 4)",
                        "MATRIX l_1_h2h_WEIGHT (16, 4)"),
                of(
                        "LSTM of two directions", // which DJL knows only without biases
                        () ->
                                LSTM.builder()
                                        .setStateSize(4)
                                        .setNumLayers(1)
                                        .optBidirectional(true)
                                        .optHasBiases(false)
                                        .build(),
                        SEQUENCE,
                        "MATRIX l_0_i2h_WEIGHT (16, 8)",
                        "MATRIX l_0_h2h_WEIGHT (16, 4)",
                        "MATRIX r_0_i2h_WEIGHT (16, 8)",
                        "MATRIX r_0_h2h_WEIGHT (16, 4)"),
                of(
                        "GRU",
                        () -> GRU.builder().setStateSize(4).setNumLayers(1).build(),
                        SEQUENCE,
                        "MATRIX l_0_i2h_WEIGHT (12, 8)",
                        "MATRIX l_0_h2h_WEIGHT (12, 4)"),
                of(
                        "RNN",
                        () ->
                                RNN.builder()
                                        .setStateSize(4)
                                        .setNumLayers(1)
                                        .setActivation(RNN.Activation.TANH)
                                        .build(),
                        SEQUENCE,
                        "MATRIX l_0_i2h_WEIGHT (4, 8)",
                        "MATRIX l_0_h2h_WEIGHT (4, 4)"),
                of(
                        "a table of embeddings",
                        () ->
                                alone(
                                        new IdEmbedding.Builder()
                                                .setDictionarySize(9)
                                                .setEmbeddingSize(4)
                                                .build()),
                        manager -> new NDList(manager.create(new long[] {1, 0, 7, 1, 8})),
                        "EMBEDDING IdEmbedding (9, 4)"),
                of(
                        "embedded words",
                        () -> alone(words()),
                        manager -> new NDList(manager.create(new long[] {2, 0, 1, 2})),
                        "EMBEDDING TrainableWordEmbedding (3, 4)"));
    }

    /** Layers that a field's collection refers to, as do the children. */
    private static <T> DjlBlocks kept(
            String name, Supplier<T> kept, Function<T, List<Block>> steps) {
        return of(
                name,
                () -> {
                    T layers = kept.get();
                    return new KeptBlock<>(
                            layers, steps, steps.apply(layers).toArray(Block[]::new));
                },
                ROWS,
                linear("layer0", 4, 4),
                linear("layer1", 4, 4));
    }

    /** In a tree, since targets have no name for the root. */
    private static Block alone(Block block) {
        return new SequentialBlock().add(block);
    }

    static TrainableWordEmbedding words() {
        DefaultVocabulary vocabulary =
                DefaultVocabulary.builder()
                        .add(List.of("one", "two"))
                        .optUnknownToken("<unk>")
                        .build();
        return TrainableWordEmbedding.builder()
                .setEmbeddingSize(4)
                .setVocabulary(vocabulary)
                .build();
    }

    private static Block nested() {
        return new SequentialBlock()
                .add(KeptBlock.linear())
                .add(Activation::tanh)
                .add(
                        new SequentialBlock()
                                .add(KeptBlock.linear())
                                .add(Activation::relu)
                                .add(
                                        Linear.builder()
                                                .setUnits(KeptBlock.WIDTH)
                                                .optBias(false)
                                                .build()))
                .add(KeptBlock.linear());
    }

    private static Block parallel() {
        return new ParallelBlock(
                        branches ->
                                new NDList(
                                        branches.get(0)
                                                .singletonOrThrow()
                                                .mul(branches.get(1).singletonOrThrow())))
                .add(KeptBlock.linear())
                .add(KeptBlock.linear());
    }

    private static Block attention() {
        return ScaledDotProductAttentionBlock.builder().setEmbeddingSize(8).setHeadCount(2).build();
    }

    static BertBlock bert() {
        return BertBlock.builder()
                .setTokenDictionarySize(30)
                .optTypeDictionarySize(2)
                .optTransformerBlockCount(2)
                .optEmbeddingSize(8)
                .optHiddenSize(6)
                .optAttentionHeadCount(2)
                .optMaxSequenceLength(6)
                .build();
    }

    static NDList tokens(NDManager manager) {
        return new NDList(
                manager.randomInteger(0, 30, new Shape(2, 6), DataType.INT64),
                manager.randomInteger(0, 2, new Shape(2, 6), DataType.INT64),
                manager.ones(new Shape(2, 6), DataType.INT64));
    }

    private static String[] encoder(String prefix) {
        return new String[] {
            linear(prefix + "selfAttention.keyProjection", 8, 8),
            linear(prefix + "selfAttention.queryProjection", 8, 8),
            linear(prefix + "selfAttention.valueProjection", 8, 8),
            linear(prefix + "selfAttention.resultProjection", 8, 8),
            linear(prefix + "outputBlock.01Linear", 6, 8),
            linear(prefix + "outputBlock.03Linear", 8, 6)
        };
    }

    private static String[] bertSites() {
        List<String> sites = new ArrayList<>();
        sites.add("MATRIX positionEmbedding (6, 8)");
        sites.add("EMBEDDING tokenEmbedding (30, 8)");
        sites.add("EMBEDDING typeEmbedding (2, 8)");
        sites.addAll(List.of(encoder("transformer_0.")));
        sites.addAll(List.of(encoder("transformer_1.")));
        sites.add(linear("poolingProjection", 8, 8));
        return sites.toArray(String[]::new);
    }

    private static Block convolution() {
        return Conv2d.builder()
                .setFilters(4)
                .setKernelShape(new Shape(3, 3))
                .optPadding(new Shape(1, 1))
                .optBias(false)
                .build();
    }

    private static Block unit() {
        return new ParallelBlock(
                        branches ->
                                new NDList(
                                        branches.get(0)
                                                .singletonOrThrow()
                                                .add(branches.get(1).singletonOrThrow())
                                                .getNDArrayInternal()
                                                .relu()))
                .add(
                        new SequentialBlock()
                                .add(convolution())
                                .add(BatchNorm.builder().build())
                                .add(Activation::relu)
                                .add(convolution())
                                .add(BatchNorm.builder().build()))
                .add(Blocks.identityBlock());
    }

    private static Block residual() {
        return new SequentialBlock()
                .add(convolution())
                .add(BatchNorm.builder().build())
                .add(unit())
                .add(unit())
                .add(Blocks.batchFlattenBlock())
                .add(Linear.builder().setUnits(3).build());
    }

    @Override
    public String toString() {
        return name;
    }
}
