package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import ai.djl.util.Preconditions;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterHost;
import io.peft4j.adapters.BlockTree;
import io.peft4j.adapters.RowAdapters;
import io.peft4j.adapters.SavedAdapter;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A decoder-only language model as a block: ids (B, S) INT64, and optionally a mask (B, S) INT64
 * with 1 for tokens and 0 for padding, to logits (B, S, V) FLOAT32.
 *
 * <p>The child blocks carry the names of the Hugging Face checkpoint, so that a block's dotted path
 * ({@link BlockTree}), a dot, and its parameter's name are the tensor's name in the file, and the
 * path alone is what PEFT calls the module. All linear layers are {@link AdaptableLinear}.
 *
 * <p>A token's position is its index in the row, also behind padding on the left; rotary positions
 * are relative, so that the logits are those of the row without the padding.
 */
public final class Decoder extends NamedBlock implements AdapterHost {

    private final Architecture architecture;
    private final DecoderBody body;
    private final RotaryTable rotary;
    private volatile @Nullable AdaptableLinear head;
    private volatile @Nullable AdaptableLinear scoreHead;
    private volatile Map<String, Parameter> baseParameters;
    private volatile @Nullable AdaptedModel adapters;
    private volatile @Nullable LayerEngine engine;
    private volatile @Nullable MatrixProduct matrixProduct;

    Decoder(Architecture architecture) {
        this.architecture = architecture;
        rotary = new RotaryTable(architecture);
        ModuleNames names = architecture.names();
        body = addChildBlock(names.body(), new DecoderBody(architecture));
        head = architecture.tiedHead() ? null : addHead();
        baseParameters = readParameters();
        engine = describe();
    }

    private @Nullable LayerEngine describe() {
        List<Stage> stages = body.layers().stages(architecture);
        AdaptableLinear own = head;
        LinearGroup group =
                own == null ? LinearGroup.tied(body.embeddings()) : LinearGroup.of(List.of(own));
        HeadStage last = new HeadStage(body.norm().weight(), group, architecture.normEpsilon());
        if (stages == null) {
            return null;
        }
        LayerEngine described = new LayerEngine(stages, last, baseParameters.values());
        described.setScoreHead(scoreHead);
        return described;
    }

    private AdaptableLinear addHead() {
        return addChildBlock(
                architecture.names().head(),
                AdaptableLinear.builder()
                        .setFeatures(architecture.hiddenSize(), architecture.vocabularySize())
                        .optOutputHead(true)
                        .build());
    }

    private Map<String, Parameter> readParameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        BlockTree.paths(this)
                .forEach(
                        (path, block) -> {
                            if (block == scoreHead) {
                                return; // no part of the checkpoint
                            }
                            for (Pair<String, Parameter> parameter : block.getDirectParameters()) {
                                parameters.put(
                                        path + "." + parameter.getKey(), parameter.getValue());
                            }
                        });
        return Collections.unmodifiableMap(parameters);
    }

    /**
     * Gives a head that shares the embeddings' matrix a copy of its own.
     *
     * @return whether there was such a head
     */
    boolean untieHead(NDManager owner) {
        if (head != null) {
            return false;
        }
        AdaptedModel adapted = adapters;
        if (adapted != null && adapted.keepsTied()) {
            throw new IllegalStateException(
                    "an adapter changes embeddings and head together, such as one with trained"
                            + " token rows; it can be merged as they are, tied");
        }
        Parameter embeddings = body.embeddings().weight();
        AdaptableLinear own = addHead();
        own.weight()
                .setInitializer(
                        (manager, shape, type) -> Tensors.clone(manager, embeddings.getArray()));
        own.weight().freeze(!embeddings.requiresGradient());
        own.initialize(owner, DataType.FLOAT32, new Shape(1, architecture.hiddenSize()));
        body.embeddings().untie();
        head = own;
        baseParameters = readParameters();
        engine = describe();
        return true;
    }

    /**
     * Gives the decoder a {@link ScoreHead}.
     *
     * @param owner the manager of its weight
     * @param values makes the weight (1, H), float32
     * @return whether it had none
     */
    boolean addScoreHead(NDManager owner, Initializer values) {
        if (scoreHead != null) {
            return false;
        }
        AdaptableLinear added =
                addChildBlock(
                        ScoreHead.NAME,
                        AdaptableLinear.builder()
                                .setFeatures(architecture.hiddenSize(), 1)
                                .optAddedToBase(true)
                                .build());
        added.weight().setInitializer(values);
        added.weight().freeze(!body.embeddings().weight().requiresGradient());
        added.initialize(owner, DataType.FLOAT32, new Shape(1, architecture.hiddenSize()));
        scoreHead = added;
        LayerEngine layers = engine;
        if (layers != null) {
            layers.setScoreHead(added);
        }
        return true;
    }

    /** Returns the score head's layer, null if there is none. */
    @Nullable AdaptableLinear scoreHead() {
        return scoreHead;
    }

    /** {@inheritDoc} */
    @Override
    public void setAdapters(@Nullable AdaptedModel model) {
        adapters = model;
    }

    /** Reads adapters of fused experts too, see {@link ExpertAdapters}. */
    @Override
    public SavedAdapter inOwnNames(SavedAdapter saved) throws IOException {
        Experts experts = architecture.experts();
        return experts == null
                ? saved
                : ExpertSplit.of(
                        saved, ExpertModules.of(architecture, experts, baseParameters.keySet()));
    }

    /** The parameters of one pass, with the adapters in effect now. */
    Weights weights(ParameterStore store, Device device, boolean training) {
        NDArray table = body.embeddings().weight().getArray();
        if (!table.getDevice().equals(device) && BFloat16.isBFloat16(table)) {
            throw new IllegalArgumentException( // DJL would try to move them, and end the process
                    "expected ids on "
                            + table.getDevice()
                            + " where the bfloat16 weights are, found them on "
                            + device);
        }
        AdaptedModel adapted = adapters;
        return new Weights(adapted == null ? store : adapted.store(store), device, training);
    }

    /** The parameters of one pass in which each row has an adapter of its own. */
    Weights weights(ParameterStore store, Device device, RowAdapters rows) {
        List<Weights.Part> parts =
                rows.parts().stream()
                        .map(
                                part ->
                                        new Weights.Part(
                                                new Weights(rows.store(part, store), device, false),
                                                part.start(),
                                                part.count()))
                        .toList();
        return new Weights(store, device, false, parts);
    }

    /**
     * Chooses an adapter for each row, see {@link AdaptedModel#forRows}.
     *
     * @return the choice, to close; null if the model has no adapters and no row asks for one
     */
    @Nullable RowAdapters rowAdapters(List<String> names) {
        AdaptedModel adapted = adapters;
        if (adapted != null) {
            return adapted.forRows(names);
        }
        for (String name : names) {
            Preconditions.checkArgument(
                    name.equals(RowAdapters.BASE),
                    "there is no adapter " + name + "; the model has none");
        }
        return null;
    }

    /** Tells whether a backward would reach a parameter, of the base or of an adapter. */
    boolean isTrainable() {
        AdaptedModel adapted = adapters;
        Block all = adapted == null ? this : adapted.block();
        return all.getParameters().values().stream().anyMatch(Parameter::requiresGradient);
    }

    Architecture architecture() {
        return architecture;
    }

    /** Returns the parameters by checkpoint name; what adapters add is never among them. */
    Map<String, Parameter> baseParameters() {
        return baseParameters;
    }

    /**
     * Computes the last hidden states, after the last norm.
     *
     * @param ids (B, S)
     * @param tokens (B, S), 1 for tokens and 0 for padding, and (B, earlier + S) if there are
     *     earlier tokens; null if there is no padding
     * @param cache earlier tokens, behind which these are appended; null for none
     * @return (B, S, H)
     */
    NDArray hidden(
            NDManager owner,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            @Nullable KeyValueCache cache) {
        return hidden(owner, weights, ids, tokens, cache, null);
    }

    /**
     * Computes the last hidden states, as above, and keeps what the routers of experts decided.
     *
     * @param routing takes the routers' scores, and has the same tokens; null if nobody wants them
     */
    NDArray hidden(
            NDManager owner,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            @Nullable KeyValueCache cache,
            @Nullable Routing routing) {
        try (NDManager scope = owner.newSubManager()) {
            Tokens read = read(scope, ids, tokens, cache);
            NDArray hidden = null;
            if (routing == null && !GradMode.isRecording()) {
                hidden = byKernels(owner, weights, ids, read, cache, EnginePass::hidden);
            }
            if (hidden == null && !weights.parts().isEmpty()) {
                hidden =
                        RowParts.together(
                                owner,
                                weights,
                                (part, rows) ->
                                        hidden(
                                                scope,
                                                part.weights(),
                                                rows.of(ids),
                                                rows.ofNullable(tokens),
                                                cache == null ? null : cache.rows(part)));
            } else if (hidden == null) {
                NDList table = read.table();
                Experts experts = architecture.experts();
                Routing routes =
                        routing == null && experts != null && read.routed() != null
                                ? new Routing(scope, experts, read.routed())
                                : routing;
                Pass pass =
                        new Pass(weights, table.get(0), table.get(1), read.masks(), cache, routes);
                hidden = body.apply(owner, ids, pass);
            }
            if (cache != null) {
                cache.advance(Math.toIntExact(ids.getShape().get(1)));
            }
            return hidden;
        }
    }

    /**
     * Computes the logits that follow the last column, and appends it to the cache.
     *
     * @param ids and the others as in {@link #hidden}; there is no padding in the last column
     * @return (B, V), float32
     */
    NDArray lastLogits(
            NDManager owner,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            @Nullable KeyValueCache cache) {
        try (NDManager scope = owner.newSubManager()) {
            Tokens read = read(scope, ids, tokens, cache);
            NDArray logits = null;
            if (!GradMode.isRecording()) {
                logits = byKernels(owner, weights, ids, read, cache, EnginePass::lastLogits);
            }
            if (logits != null) {
                if (cache != null) {
                    cache.advance(Math.toIntExact(ids.getShape().get(1)));
                }
                return logits;
            }
            NDArray hidden = hidden(scope, weights, ids, tokens, cache);
            return logits(owner, weights, Kernels.DECODER.call(scope, "last_token", hidden));
        }
    }

    /** What is wanted of a pass by kernels. */
    private interface Wanted {
        NDArray of(EnginePass pass, NDManager owner, LayerPass shared, NDArray table, NDArray ids);
    }

    private @Nullable NDArray byKernels(
            NDManager owner,
            Weights weights,
            NDArray ids,
            Tokens read,
            @Nullable KeyValueCache cache,
            Wanted wanted) {
        try (EnginePass pass = beginLayers(weights)) {
            if (pass == null) {
                return null;
            }
            try (LayerPass shared = layerPass(owner, ids, read, cache)) {
                return wanted.of(pass, owner, shared, embeddings(), ids);
            }
        }
    }

    /**
     * What the tokens of a pass say.
     *
     * @param table rotary cosines and sines
     * @param masks what tokens may look at
     * @param routed (B, S), 1 for the tokens that are sent to experts and 0 for padding; null if
     *     all are, or there are no experts
     */
    record Tokens(NDList table, AttentionMasks masks, @Nullable NDArray routed) {}

    /** Checks the tokens of a pass; parameters as of {@link #hidden}. */
    Tokens read(
            NDManager scope, NDArray ids, @Nullable NDArray tokens, @Nullable KeyValueCache cache) {
        long[] values = TokenChecks.read("token ids", ids);
        int columns = Math.toIntExact(ids.getShape().get(1));
        TokenChecks.requireInVocabulary(values, columns, architecture.vocabularySize());
        int end = columns + (cache == null ? 0 : cache.length());
        TokenChecks.requireInContext(end, architecture.contextLength());
        if (cache != null) {
            cache.requireRoomFor(columns);
        }
        NDList table = rotary.of(end, body.embeddings().weight().getArray());
        AttentionMasks masks =
                tokens == null
                        ? AttentionMasks.causal(scope, columns)
                        : end > columns
                                ? AttentionMasks.next(scope, tokens)
                                : AttentionMasks.padded(scope, ids, tokens);
        boolean padded = architecture.experts() != null && end == columns;
        return new Tokens(table, masks, padded ? tokens : null);
    }

    /** Begins a pass by kernels with hand-written backward; null if it is for autograd. */
    @Nullable EnginePass beginLayers(Weights weights) {
        LayerEngine layers = engine;
        NDArray table = body.embeddings().weight().getArray();
        boolean baseTrained =
                weights.training()
                        && baseParameters.values().stream().anyMatch(Parameter::requiresGradient);
        return layers == null || baseTrained || !table.getDevice().equals(weights.device())
                ? null
                : layers.begin(weights);
    }

    /**
     * Foretells the memory of a training step by such kernels; the weights need no values.
     *
     * @return null if it cannot be told
     */
    @Nullable StepMemory memory(StepSize size, UpdateShapes updates) {
        LayerEngine layers = engine;
        return layers == null ? null : layers.memory(size, architecture.hiddenSize(), updates);
    }

    /** Frees the memory that a training step leaves to the next. */
    void freeStepMemory() {
        LayerEngine layers = engine;
        if (layers != null) {
            layers.freeStepMemory();
        }
    }

    /** Returns what the layers of such a pass share. */
    LayerPass layerPass(NDManager owner, NDArray ids, Tokens read, @Nullable KeyValueCache cache) {
        return new LayerPass(owner, matrixProduct().kernels(), ids.getShape(), read, cache);
    }

    /** Returns the embeddings (V, H). */
    NDArray embeddings() {
        return body.embeddings().weight().getArray();
    }

    /** Returns what computes products with base weights in the layers' kernels. */
    MatrixProduct matrixProduct() {
        MatrixProduct product = matrixProduct;
        if (product == null) {
            NDArray table = embeddings();
            product = MatrixProduct.of(ScalarType.of(table), table.getDevice());
            matrixProduct = product;
        }
        return product;
    }

    void useMatrixProduct(MatrixProduct product) {
        NDArray table = embeddings();
        ScalarType type = ScalarType.of(table);
        Preconditions.checkArgument(
                product.isFor(type, table.getDevice()),
                "expected a product for "
                        + type
                        + " weights on "
                        + table.getDevice()
                        + ", found "
                        + product);
        matrixProduct = product;
    }

    boolean hasLayerKernels() {
        return engine != null;
    }

    /** Turns kernels with hand-written backward on or off; autograd computes the same. */
    void useLayerKernels(boolean on) {
        LayerEngine layers = engine;
        if (layers != null) {
            layers.setEnabled(on);
        }
    }

    /** Projects hidden states (…, H) to logits (…, V) in float32, adapted if the head is. */
    NDArray logits(NDManager owner, Weights weights, NDArray hidden) {
        if (!weights.parts().isEmpty()) {
            return RowParts.together(
                    owner,
                    weights,
                    (part, rows) -> logits(rows.owner(), part.weights(), rows.of(hidden)));
        }
        try (NDManager scope = owner.newSubManager()) {
            return Tensors.float32(owner, project(scope, weights, hidden));
        }
    }

    /** Projects hidden states (…, H) to logits (…, V) of their type, adapted if the head is. */
    NDArray project(NDManager owner, Weights weights, NDArray hidden) {
        AdaptableLinear own = head;
        NDArray logits =
                own == null
                        ? weights.project(body.embeddings(), hidden)
                        : weights.linear(own, hidden);
        logits.attach(owner);
        return logits;
    }

    /** {@inheritDoc} */
    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray ids = inputs.head();
        NDManager owner = ids.getManager();
        Weights weights = weights(parameterStore, ids.getDevice(), training);
        NDArray tokens = inputs.size() > 1 ? inputs.get(1) : null;
        try (NDManager scope = owner.newSubManager()) {
            NDArray hidden = hidden(scope, weights, ids, tokens, null);
            return new NDList(logits(owner, weights, hidden));
        }
    }

    /** {@inheritDoc} */
    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {inputShapes[0].add(architecture.vocabularySize())};
    }
}
