package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.Preconditions;
import io.peft4j.adapters.RowAdapters;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.ShardedSafetensors;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A causal language model: a {@link Decoder} with its weights, in float32, bfloat16 or float16.
 *
 * <p>In a 16-bit type the weights take half the memory, and activations are computed in it; norms,
 * softmax, rotary positions and losses inside are float32, and so are logits, adapters and their
 * gradients. The weights themselves are trained in float32 only. bfloat16 has the range of float32;
 * float16 is finer but ends at 65504, so that gradients of real models may vanish in it.
 *
 * <p>All of a model's memory is freed by {@link #close}. A model may be read (logits, losses,
 * generation) by several threads at once; training and saving need it for themselves.
 */
public final class CausalLm implements AutoCloseable {

    private volatile ModelConfig config;
    private final Dtype dtype;
    private final Dtype computeDtype;
    private final CheckpointLayout layout;
    private final @Nullable Path source;
    private final NDManager manager;
    private final Decoder decoder;
    private final LossPasses passes;
    private final NextTokenLoss loss;
    private final ScoreHead score;

    private CausalLm(
            ModelConfig config,
            Dtype dtype,
            Dtype computeDtype,
            CheckpointLayout layout,
            @Nullable Path source,
            Device device) {
        this.config = config;
        this.dtype = dtype;
        this.computeDtype = computeDtype;
        this.layout = layout;
        this.source = source;
        manager = NDManager.newBaseManager(device, "PyTorch");
        decoder = new Decoder(config.architecture());
        passes = new LossPasses(decoder);
        loss = new NextTokenLoss(decoder, passes);
        score = new ScoreHead(decoder, passes);
    }

    /**
     * Loads a Hugging Face directory, to compute in float32: F16 and BF16 become float32 exactly.
     *
     * @param directory the directory
     * @param device where the weights will be
     * @return the model; close it
     * @throws ModelConfigException as {@link #load(Path, Device, Dtype)}
     * @throws CheckpointException as {@link #load(Path, Device, Dtype)}
     * @throws IOException as {@link #load(Path, Device, Dtype)}
     */
    public static CausalLm load(Path directory, Device device) throws IOException {
        return load(directory, device, Dtype.F32);
    }

    /**
     * Loads a Hugging Face directory: {@code config.json}, and {@code model.safetensors} or {@code
     * model.safetensors.index.json} with its shards. The weights go to the device a few megabytes
     * at a time, so that loading takes little more memory than they do. A wider type is kept
     * exactly, a narrower one rounded to, ties to even. The parameters require gradients until they
     * are frozen; {@code Adapters.attach} does so.
     *
     * @param directory the directory
     * @param device where the weights will be
     * @param computeDtype what to keep the weights in and to compute in: F32, BF16 or F16
     * @return the model; close it
     * @throws ModelConfigException if the config does not describe a supported model
     * @throws CheckpointException if tensors are missing, unexpected or misshaped; the message
     *     lists all of them
     * @throws io.peft4j.torch.UnsupportedDtypeException if a model cannot compute in the type
     * @throws IOException if a file is missing, damaged or a Python pickle
     */
    public static CausalLm load(Path directory, Device device, Dtype computeDtype)
            throws IOException {
        WeightTypes.requireComputable("CausalLm.load", computeDtype);
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        try (ShardedSafetensors checkpoint = ShardedSafetensors.open(directory)) {
            CheckpointLayout layout = config.layoutOf(checkpoint);
            Map<String, StoredTensor> tensors = layout.tensors(config.tensors());
            Checkpoint.requireFits(checkpoint, tensors, config::isRedundant);
            CausalLm model =
                    new CausalLm(
                            config,
                            Checkpoint.commonDtype(checkpoint),
                            computeDtype,
                            layout,
                            directory,
                            device);
            boolean loaded = false;
            try {
                model.allocate();
                Map<String, NDArray> targets = new LinkedHashMap<>();
                model.parameters().forEach((name, p) -> targets.put(name, p.getArray()));
                Checkpoint.copy(checkpoint, tensors, targets, model.manager);
                loaded = true;
                return model;
            } finally {
                if (!loaded) {
                    model.close();
                }
            }
        }
    }

    /**
     * Tells the element type of a checkpoint, without reading weights.
     *
     * @param directory the directory
     * @return the type of all its tensors; F32 if they differ
     * @throws IOException if a file is missing, damaged or a Python pickle
     */
    public static Dtype storedDtype(Path directory) throws IOException {
        try (ShardedSafetensors checkpoint = ShardedSafetensors.open(directory)) {
            return Checkpoint.commonDtype(checkpoint);
        }
    }

    /**
     * Checks, without reading weights, that a directory's config describes a supported model and
     * that the checkpoint's tensors are those of the config.
     *
     * @param directory the directory
     * @return the config
     * @throws ModelConfigException as {@link #load}
     * @throws CheckpointException as {@link #load}
     * @throws IOException as {@link #load}
     */
    public static ModelConfig verify(Path directory) throws IOException {
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        try (ShardedSafetensors checkpoint = ShardedSafetensors.open(directory)) {
            Checkpoint.requireFits(
                    checkpoint,
                    config.layoutOf(checkpoint).tensors(config.tensors()),
                    config::isRedundant);
        }
        return config;
    }

    /**
     * Creates a model with random weights, to compute in float32.
     *
     * @param config the config
     * @param device where the weights will be
     * @param seed decides the weights, on every machine alike
     * @return the model; close it
     */
    public static CausalLm create(ModelConfig config, Device device, long seed) {
        return create(config, device, Dtype.F32, seed);
    }

    /**
     * Creates a model with random weights: matrices are normal with the config's {@code
     * initializer_range} as standard deviation, norms are ones, biases zeros.
     *
     * @param config the config
     * @param device where the weights will be
     * @param computeDtype what to keep the weights in and to compute in: F32, BF16 or F16
     * @param seed decides the weights, on every machine alike up to their rounding
     * @return the model; close it
     * @throws io.peft4j.torch.UnsupportedDtypeException if a model cannot compute in the type
     */
    public static CausalLm create(
            ModelConfig config, Device device, Dtype computeDtype, long seed) {
        WeightTypes.requireComputable("CausalLm.create", computeDtype);
        CausalLm model =
                new CausalLm(config, Dtype.F32, computeDtype, CheckpointLayout.PLAIN, null, device);
        model.allocate();
        try (RowWriter writer = new RowWriter(model.manager)) {
            model.parameters()
                    .forEach(
                            (name, parameter) ->
                                    RandomWeights.fill(
                                            writer,
                                            parameter.getArray(),
                                            parameter.getType(),
                                            config.initializerRange(),
                                            RandomWeights.seed(seed, name)));
        }
        return model;
    }

    /** Takes the memory of all parameters, without values. */
    private void allocate() {
        for (Parameter parameter : parameters().values()) {
            parameter.setInitializer(
                    (owner, shape, type) ->
                            Tensors.empty(owner, shape, WeightTypes.of(computeDtype)));
        }
        decoder.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    }

    /**
     * Returns the config.
     *
     * @return the config that the model was loaded or created with, or after {@link #untieHead} the
     *     one that fits
     */
    public ModelConfig config() {
        return config;
    }

    /**
     * Returns the element type of the checkpoint.
     *
     * @return the type of all its tensors; F32 if they differ or the model was created
     */
    public Dtype dtype() {
        return dtype;
    }

    /**
     * Returns what the weights are kept and computed in.
     *
     * @return F32, BF16 or F16
     */
    public Dtype computeDtype() {
        return computeDtype;
    }

    /**
     * Returns the block that adapters attach to.
     *
     * @return the decoder
     */
    public Decoder block() {
        return decoder;
    }

    /**
     * Returns the base weights.
     *
     * @return the parameters by checkpoint name, such as {@code
     *     transformer.layers.0.attn.qkv_proj.weight}, in model order; what adapters add is not
     *     among them
     */
    public Map<String, Parameter> parameters() {
        return decoder.baseParameters();
    }

    /**
     * Returns the owner of the weights.
     *
     * @return the manager
     */
    public NDManager manager() {
        return manager;
    }

    /**
     * Returns where the weights are.
     *
     * @return the device
     */
    public Device device() {
        return manager.getDevice();
    }

    /**
     * Computes logits, without a graph for backward.
     *
     * @param owner the manager that the result will belong to
     * @param ids token ids, INT64 (B, S)
     * @param attentionMask INT64 (B, S), 1 for tokens and 0 for padding on either side; null if
     *     there is none
     * @return float32 (B, S, V); meaningless where the mask is 0
     * @throws InvalidTokensException if an id is outside the vocabulary, or the rows exceed the
     *     context
     */
    public NDArray logits(NDManager owner, NDArray ids, @Nullable NDArray attentionMask) {
        try (GradMode off = GradMode.disabled();
                NDManager scope = owner.newSubManager()) {
            Weights weights = weights(scope, false);
            NDArray hidden = decoder.hidden(scope, weights, ids, attentionMask, null);
            return decoder.logits(owner, weights, hidden);
        }
    }

    /**
     * Computes logits, without a graph for backward, with an adapter of its own for each row, as
     * PEFT's {@code adapter_names} does.
     *
     * @param owner the manager that the result will belong to
     * @param ids as in {@link #logits(NDManager, NDArray, NDArray)}
     * @param attentionMask as there
     * @param adapterNames an adapter for each row, or {@link RowAdapters#BASE} for none; an empty
     *     list for those in effect on the calling thread
     * @return float32 (B, S, V); meaningless where the mask is 0
     * @throws InvalidTokensException as there
     * @throws IllegalArgumentException if there is no adapter of a name, or another number of names
     *     than of rows
     * @throws IllegalStateException if an adapter is merged
     */
    public NDArray logits(
            NDManager owner,
            NDArray ids,
            @Nullable NDArray attentionMask,
            List<String> adapterNames) {
        RowParts.requireOneEach(adapterNames, ids.getShape().get(0));
        try (GradMode off = GradMode.disabled();
                RowAdapters rows =
                        adapterNames.isEmpty() ? null : decoder.rowAdapters(adapterNames);
                NDManager scope = owner.newSubManager()) {
            if (rows == null) {
                return logits(owner, ids, attentionMask);
            }
            NDArray laid = RowParts.laid(scope, ids, rows);
            NDArray tokens =
                    attentionMask == null ? null : RowParts.laid(scope, attentionMask, rows);
            Weights weights = weights(scope, rows);
            NDArray hidden = decoder.hidden(scope, weights, laid, tokens, null);
            return RowParts.asNamed(owner, decoder.logits(scope, weights, hidden), rows);
        }
    }

    /**
     * Computes the next-token losses of a batch, without gradients and without dropout.
     *
     * @param ids token ids, INT64 (B, S); padding on the right is harmless
     * @param labels INT64 (B, S), each token's own id where its loss counts, else -100; shifting
     *     happens here
     * @return for each row the sum of \(-\log p\) over its labelled tokens but the first
     * @throws InvalidTokensException if an id or label is outside the vocabulary, or the rows
     *     exceed the context
     */
    public double[] rowLosses(NDArray ids, NDArray labels) {
        try (NDManager step = manager.newSubManager()) {
            Labels targets = Labels.of(ids, labels, config.vocabularySize());
            return loss.evaluate(step, weights(step, false), ids, targets);
        }
    }

    /**
     * Runs a batch forward with dropout and backward: adds the gradient of the sum of all losses
     * divided by {@code divisor} to every parameter that requires one, base or adapter.
     *
     * @param ids as in {@link #rowLosses}
     * @param labels as in {@link #rowLosses}
     * @param divisor usually the number of labelled tokens of the whole optimizer step
     * @return as in {@link #rowLosses}
     * @throws InvalidTokensException as {@link #rowLosses}
     * @throws IllegalStateException if no parameter requires a gradient
     */
    public double[] backward(NDArray ids, NDArray labels, double divisor) {
        return backward(ids, null, labels, divisor);
    }

    /**
     * Runs a batch forward with dropout and backward, as {@link #backward(NDArray, NDArray,
     * double)}, and is told which tokens are padding. It matters in two cases: padding may be on
     * the left, and it does not count in the loss that keeps the routers of experts balanced. That
     * loss takes part if the config's {@code output_router_logits} is true: {@code
     * router_aux_loss_coef} times the share of the step's labels that this batch has ({@code labels
     * / divisor}).
     *
     * @param ids as in {@link #rowLosses}
     * @param attentionMask INT64 (B, S), 1 for tokens and 0 for padding; null if there is none
     * @param labels as in {@link #rowLosses}
     * @param divisor usually the number of labelled tokens of the whole optimizer step
     * @return as in {@link #rowLosses}; the routers' loss is not in it
     * @throws InvalidTokensException as {@link #rowLosses}
     * @throws IllegalStateException if no parameter requires a gradient
     */
    public double[] backward(
            NDArray ids, @Nullable NDArray attentionMask, NDArray labels, double divisor) {
        requireTrainable();
        try (NDManager step = manager.newSubManager()) {
            Labels targets = Labels.of(ids, labels, config.vocabularySize());
            return loss.backward(
                    step,
                    weights(step, true),
                    ids,
                    attentionMask,
                    targets,
                    targets.count() / divisor,
                    LossFactors.all(1 / divisor));
        }
    }

    /**
     * Tells what the model says of the labelled tokens of a batch, without gradients and without
     * dropout.
     *
     * @param ids as in {@link #rowLosses}
     * @param labels as in {@link #rowLosses}
     * @return log-probabilities, entropies and more, token by token
     * @throws InvalidTokensException as {@link #rowLosses}
     */
    public TokenScores tokenScores(NDArray ids, NDArray labels) {
        return tokenScores(ids, labels, 1);
    }

    /**
     * Tells what the model says of the labelled tokens of a batch at a temperature, as it says it
     * when it samples, without gradients and without dropout.
     *
     * @param ids as in {@link #rowLosses}
     * @param labels as in {@link #rowLosses}
     * @param temperature what logits are divided by, above 0
     * @return log-probabilities, entropies and more, token by token
     * @throws InvalidTokensException as {@link #rowLosses}
     * @throws IllegalArgumentException if the temperature is not above 0
     */
    public TokenScores tokenScores(NDArray ids, NDArray labels, double temperature) {
        requireTemperature(temperature);
        try (NDManager step = manager.newSubManager()) {
            Labels targets = Labels.of(ids, labels, config.vocabularySize());
            return loss.scores(step, weights(step, false), ids, targets, temperature);
        }
    }

    private static void requireTemperature(double temperature) {
        Preconditions.checkArgument(
                temperature > 0 && Double.isFinite(temperature),
                "expected a temperature above 0, found " + temperature);
    }

    /**
     * Tells what the model says of tokens that need not stand in the batch, without gradients and
     * without dropout. Several may be asked for at one place, so that answers to one question share
     * what it takes to compute it; and a place may be a row's last.
     *
     * @param ids token ids, INT64 (B, S); padding on the right is harmless
     * @param places (N) where a token's context ends: row · S + column
     * @param tokens (N) the tokens
     * @return log-probabilities, entropies and more, token by token
     * @throws InvalidTokensException if an id, a place or a token is out of its range, or the rows
     *     exceed the context
     */
    public TokenScores nextTokenScores(NDArray ids, long[] places, long[] tokens) {
        TokenChecks.read("ids", ids);
        try (NDManager step = manager.newSubManager()) {
            Labels targets = Labels.after(ids, places, tokens, config.vocabularySize());
            return loss.scores(step, weights(step, false), ids, targets, 1);
        }
    }

    /**
     * Runs a batch forward, asks for the slopes of a loss by the tokens' log-probabilities, and
     * runs backward: adds the loss's gradient to every parameter that requires one. The layers run
     * forward once; only the head computes twice.
     *
     * @param ids as in {@link #rowLosses}
     * @param attentionMask as in {@link #backward(NDArray, NDArray, NDArray, double)}
     * @param labels as in {@link #rowLosses}
     * @param objective the loss; it is asked once
     * @param share what the loss that keeps the routers of experts balanced is multiplied by
     *     besides its own weight, such as the share that this batch has of the optimizer step
     * @return what the objective was told
     * @throws InvalidTokensException as {@link #rowLosses}
     * @throws IllegalStateException if no parameter requires a gradient
     */
    public TokenScores backward(
            NDArray ids,
            @Nullable NDArray attentionMask,
            NDArray labels,
            TokenObjective objective,
            double share) {
        requireTrainable();
        requireTemperature(objective.temperature());
        try (NDManager step = manager.newSubManager()) {
            Labels targets = Labels.of(ids, labels, config.vocabularySize());
            ObjectiveFactors factors = new ObjectiveFactors(targets, objective);
            loss.backward(step, weights(step, true), ids, attentionMask, targets, share, factors);
            return factors.scores();
        }
    }

    /**
     * Gives the decoder a score head, a child block {@code score}: one linear layer (1, H) without
     * bias on the hidden states after the last norm, which is what transformers' {@code
     * …ForSequenceClassification} with {@code num_labels} 1 has under this name. Its weight is
     * float32, normal with the config's {@code initializer_range} as standard deviation, and frozen
     * if the embeddings are.
     *
     * <p>The head is no part of the base: it is not among {@link #parameters}, is not saved, and
     * has no share in the base's fingerprint. An adapter whose {@code modules_to_save} names {@code
     * score} has a trained copy of its own, and saves it as PEFT does.
     *
     * @param seed decides the weight, on every machine alike
     * @return whether there was none; else the one that is there stays as it is
     */
    public boolean addScoreHead(long seed) {
        return decoder.addScoreHead(
                manager,
                (owner, shape, type) ->
                        ScoreHead.newWeight(owner, shape, config.initializerRange(), seed));
    }

    /**
     * Tells whether {@link #addScoreHead} was called.
     *
     * @return whether there is a score head
     */
    public boolean hasScoreHead() {
        return decoder.scoreHead() != null;
    }

    /**
     * Tells what the score head says of some tokens, with the adapters in effect, without gradients
     * and without dropout.
     *
     * @param ids token ids, INT64 (B, S); padding on the right is harmless
     * @param wanted INT64 (B, S), 1 for the tokens to score and 0 for others
     * @return a score for each of them
     * @throws InvalidTokensException if an id is outside the vocabulary, a mark is neither 0 nor 1,
     *     or the rows exceed the context
     * @throws IllegalStateException if there is no score head
     */
    public HeadScores headScores(NDArray ids, NDArray wanted) {
        try (NDManager step = manager.newSubManager()) {
            return score.evaluate(step, weights(step, false), ids, ScoredTokens.of(ids, wanted));
        }
    }

    /**
     * Runs a batch forward with dropout, asks for the slopes of a loss by the head's scores, and
     * runs backward: adds the loss's gradient to every parameter that requires one.
     *
     * @param ids as in {@link #headScores}
     * @param attentionMask as in {@link #backward(NDArray, NDArray, NDArray, double)}
     * @param wanted as in {@link #headScores}
     * @param objective the loss; it is asked once
     * @param share as in {@link #backward(NDArray, NDArray, NDArray, TokenObjective, double)}
     * @return what the objective was told
     * @throws InvalidTokensException as {@link #headScores}
     * @throws IllegalStateException if there is no score head, or no parameter requires a gradient
     */
    public HeadScores backwardFromHead(
            NDArray ids,
            @Nullable NDArray attentionMask,
            NDArray wanted,
            HeadObjective objective,
            double share) {
        requireTrainable();
        try (NDManager step = manager.newSubManager()) {
            HeadSlopes slopes = new HeadSlopes(ScoredTokens.of(ids, wanted), objective);
            score.backward(step, weights(step, true), ids, attentionMask, slopes, share);
            return slopes.scores();
        }
    }

    private void requireTrainable() {
        if (!decoder.isTrainable()) {
            throw new IllegalStateException(
                    "expected a parameter that requires a gradient, but all are frozen: attach an"
                            + " adapter, or unfreeze the base with block().freezeParameters(false)");
        }
    }

    /**
     * Chooses whether layers may be computed by kernels whose backward is written by hand, as they
     * are unless told otherwise, wherever all that is trained are low-rank updates of linear
     * layers. Else autograd computes everything, which gives the same up to rounding, in more time
     * and memory; it is there to compare with.
     *
     * @param on whether to use them
     */
    public void useLayerKernels(boolean on) {
        decoder.useLayerKernels(on);
    }

    /**
     * Tells whether {@link #backward} would go by these kernels, with the adapters in effect now
     * and what requires a gradient now.
     *
     * @return false if it would go by autograd
     */
    public boolean canUseLayerKernels() {
        try (NDManager step = manager.newSubManager();
                EnginePass pass = decoder.beginLayers(weights(step, true))) {
            return pass != null;
        }
    }

    /**
     * Foretells the memory of {@link #backward} by these kernels.
     *
     * @param rows the rows of a batch
     * @param length the tokens of its longest row
     * @return the bytes of activations; empty if backward would go by autograd
     */
    public Optional<StepMemory> stepMemory(int rows, int length) {
        if (!canUseLayerKernels()) {
            return Optional.empty();
        }
        StepSize size = new Computation(computeDtype, device(), matrixProduct()).step(rows, length);
        try (NDManager step = manager.newSubManager()) {
            Weights weights = weights(step, true);
            return Optional.ofNullable(
                    decoder.memory(size, (group, layer) -> group.shapes(layer, weights)));
        }
    }

    /**
     * Frees the memory in which {@link #backward} by these kernels keeps what layers need of their
     * forward pass. On the CPU it stays from one step to the next, and the next one takes it anew;
     * else it is freed with the model.
     */
    public void freeStepMemory() {
        decoder.freeStepMemory();
    }

    /**
     * Chooses whether a layer keeps its input alone for backward, and is computed again there: less
     * memory, for the time of one more forward pass through the layers. The gradients are the same
     * bit for bit, with dropout too. It is off unless turned on, and has an effect in {@link
     * #backward} by the layers' kernels alone: see {@link #canUseLayerKernels}.
     *
     * @param on whether to compute layers again
     */
    public void useGradientCheckpointing(boolean on) {
        passes.useCheckpointing(on);
    }

    /**
     * Tells what {@link #useGradientCheckpointing} has chosen.
     *
     * @return whether layers are computed again
     */
    public boolean usesGradientCheckpointing() {
        return passes.checkpointing();
    }

    /**
     * Tells what computes products with base weights in these kernels: chosen by the processor,
     * unless {@link #useMatrixProduct} has said which.
     *
     * @return the product
     */
    public MatrixProduct matrixProduct() {
        return decoder.matrixProduct();
    }

    /**
     * Chooses what computes products with base weights in these kernels, as to repeat on another
     * machine, or at another time, what rounds in the same way.
     *
     * @param product the product
     * @throws IllegalArgumentException if it is not for these weights, or this build of libtorch
     */
    public void useMatrixProduct(MatrixProduct product) {
        decoder.useMatrixProduct(product);
    }

    /**
     * Tells whether the last backward, losses or scores of tokens went by kernels whose backward is
     * written by hand.
     *
     * @return false if it went by the blocks and autograd, or there was none
     */
    public boolean wasByLayerKernels() {
        return passes.wasByKernels();
    }

    /**
     * Computes how unevenly the routers send tokens to experts: 1 per chosen expert if all get the
     * same, up to the number of experts if few get all.
     *
     * @param ids token ids, INT64 (B, S)
     * @param attentionMask as in {@link #logits}
     * @return the loss, not multiplied by {@code router_aux_loss_coef}
     * @throws InvalidTokensException as {@link #logits}
     * @throws IllegalStateException if the model has no experts
     */
    public double routerLoss(NDArray ids, @Nullable NDArray attentionMask) {
        Experts experts = config.architecture().experts();
        if (experts == null) {
            throw new IllegalStateException(
                    "expected a mixture of experts, found the family " + config.modelType());
        }
        try (GradMode off = GradMode.disabled();
                NDManager step = manager.newSubManager()) {
            Routing routing = new Routing(step, experts, attentionMask);
            decoder.hidden(step, weights(step, false), ids, attentionMask, null, routing);
            return routing.auxiliaryLoss().getFloat();
        }
    }

    /**
     * Gives the output head a copy of the embeddings' matrix if the two are one. The model computes
     * what it did, needs the memory of another matrix, and is saved with {@code
     * tie_word_embeddings} false. Then an adapter of the embeddings alone can be merged, and
     * adapters that are attached from now on can target the head. The copy is frozen if the
     * embeddings are.
     *
     * @return whether the two were one
     * @throws IllegalStateException if an adapter changes both together; it can be merged as they
     *     are
     */
    public boolean untieHead() {
        boolean wasTied = decoder.untieHead(manager);
        if (wasTied) {
            config = config.untied();
        }
        return wasTied;
    }

    /**
     * Saves a complete Hugging Face directory: the weights as {@code model.safetensors}, {@code
     * config.json} with their element type, and the tokenizer's and other small files of the
     * directory that the model was loaded from. Experts are kept as in that directory, each in its
     * own tensors or all in one. An adapter that is attached and not merged is not in it. Either
     * all files are replaced or none.
     *
     * @param directory the directory; made if it is missing
     * @param type the element type of the weights, floating-point
     * @throws IOException if writing fails
     */
    public void save(Path directory, Dtype type) throws IOException {
        ModelDirectory.write(directory, type, config, layout, parameters(), source);
    }

    /**
     * Returns the tokens that end texts: those of {@code config.json}, of {@code
     * generation_config.json} beside it, and the tokenizer's.
     *
     * @param tokenizer the tokenizer; null if there is none
     * @return their ids, each once
     * @throws UncheckedIOException if {@code generation_config.json} cannot be read
     */
    public List<Long> eosIds(@Nullable Tokenizer tokenizer) {
        Set<Long> ids = new LinkedHashSet<>(config.eosIds());
        try {
            if (source != null) {
                ids.addAll(EosTokens.read(source));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (tokenizer != null) {
            tokenizer.eosId().ifPresent(ids::add);
        }
        return List.copyOf(ids);
    }

    /** Frees the weights; a second call does nothing. */
    @Override
    public void close() {
        manager.close();
    }

    Weights weights(NDManager step, boolean training) {
        return decoder.weights(new ParameterStore(step, false), device(), training);
    }

    /** The parameters of one pass with the adapters of its rows; null for those in effect. */
    Weights weights(NDManager step, @Nullable RowAdapters rows) {
        return rows == null
                ? weights(step, false)
                : decoder.weights(new ParameterStore(step, false), device(), rows);
    }
}
