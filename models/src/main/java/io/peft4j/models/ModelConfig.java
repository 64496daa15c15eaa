package io.peft4j.models;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockTree;
import io.peft4j.adapters.Site;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorInfo;
import io.peft4j.safetensors.TensorReader;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A model's {@code config.json}, read by the family that its {@code model_type} names.
 *
 * <p>The original object is kept, so that a saved model carries the same keys.
 */
public final class ModelConfig {

    private static final int MAX_BYTES = 1_000_000;
    private static final int MAX_DEPTH = 8;

    private final ConfigJson config;
    private final ModelFamily family;
    private final Architecture architecture;

    private ModelConfig(ConfigJson config) {
        this.config = config;
        family = ModelFamilies.of(config);
        architecture = family.architecture(config);
        bosId(); // a value of the wrong kind is reported now, not when it is first asked for
        eosIds();
        dtype();
        initializerRange();
    }

    /**
     * Reads a file.
     *
     * @param configJson the path of a {@code config.json}
     * @return the config
     * @throws ModelConfigException if the model type is not supported or a value is not what it
     *     should be
     * @throws IOException if the file is missing, too large or no strict JSON
     */
    public static ModelConfig read(Path configJson) throws IOException {
        JsonElement root = StrictJson.read(configJson, MAX_BYTES, MAX_DEPTH);
        if (!(root instanceof JsonObject object)) {
            throw new ModelConfigException(
                    configJson + ": expected a JSON object, found another value");
        }
        return of(object, configJson.toString());
    }

    /**
     * Reads an object.
     *
     * @param json the content of a {@code config.json}; copied
     * @param source what to call it in messages
     * @return the config
     * @throws ModelConfigException as {@link #read}
     */
    public static ModelConfig of(JsonObject json, String source) {
        return new ModelConfig(new ConfigJson(source, json.deepCopy()));
    }

    /**
     * Returns the family.
     *
     * @return {@code model_type}, such as {@code "openelm"}
     */
    public String modelType() {
        return family.modelType();
    }

    /**
     * Returns the number of tokens.
     *
     * @return the rows of the embedding matrix; ids are below it
     */
    public int vocabularySize() {
        return architecture.vocabularySize();
    }

    /**
     * Returns the width of the residual stream.
     *
     * @return the columns of the embedding matrix
     */
    public int hiddenSize() {
        return architecture.hiddenSize();
    }

    /**
     * Returns the width of one attention head.
     *
     * @return an even number
     */
    public int headDim() {
        return architecture.headDim();
    }

    /**
     * Returns the longest sequence the model takes.
     *
     * @return tokens
     */
    public int contextLength() {
        return architecture.contextLength();
    }

    /**
     * Tells whether the output embedding is the token embeddings' matrix.
     *
     * @return whether there is no head of its own
     */
    public boolean hasTiedHead() {
        return architecture.tiedHead();
    }

    /**
     * Returns the sizes of the layers.
     *
     * @return one per layer, first to last
     */
    public List<LayerShape> layers() {
        return architecture.layers();
    }

    /**
     * Returns the token that begins a text.
     *
     * @return its id, if there is one
     */
    public OptionalLong bosId() {
        Optional<Integer> id = config.integer("bos_token_id");
        return id.isPresent() ? OptionalLong.of(id.get()) : OptionalLong.empty();
    }

    /**
     * Returns the tokens that end a text.
     *
     * @return their ids, often one
     */
    public List<Long> eosIds() {
        return config.integers("eos_token_id").stream().map(Integer::longValue).toList();
    }

    /**
     * Returns the element type that the config names.
     *
     * @return the type, if one is named that this library knows
     */
    public Optional<Dtype> dtype() {
        Optional<String> name = config.string("dtype").or(() -> config.string("torch_dtype"));
        return Arrays.stream(Dtype.values())
                .filter(dtype -> name.filter(dtype.torchName()::equals).isPresent())
                .findFirst();
    }

    /**
     * Returns the standard deviation of new weights.
     *
     * @return {@code initializer_range}, or 0.02
     */
    public double initializerRange() {
        return config.number("initializer_range").orElse(0.02);
    }

    /**
     * Returns the tensors of a checkpoint.
     *
     * @return names and shapes, in model order
     */
    public Map<String, Shape> tensors() {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        new Decoder(architecture)
                .baseParameters()
                .forEach((name, parameter) -> shapes.put(name, parameter.getShape()));
        return Collections.unmodifiableMap(shapes);
    }

    /**
     * Returns the linear layers but the output head, which are what {@code all-linear} targets.
     *
     * @return the shape (out, in) by the module's path, in model order
     */
    public Map<String, Shape> linears() {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        BlockTree.paths(new Decoder(architecture))
                .forEach(
                        (path, block) -> {
                            if (block instanceof AdaptableLinear linear
                                    && !path.equals(architecture.names().head())) {
                                shapes.put(path, linear.weight().getShape());
                            }
                        });
        return Collections.unmodifiableMap(shapes);
    }

    /**
     * Lists what an adapter would attach to, without weights.
     *
     * @param adapter the adapter's settings
     * @return the selected sites, in model order
     * @throws io.peft4j.adapters.AdapterConfigException if a target matches nothing
     */
    public List<Site> sites(AdapterConfig adapter) {
        return Adapters.dryRun(new Decoder(architecture), adapter);
    }

    /**
     * Tells whether {@link CausalLm#useLayerKernels} has an effect on such a model.
     *
     * @return false if the blocks and autograd compute its layers always
     */
    public boolean hasLayerKernels() {
        return new Decoder(architecture).hasLayerKernels();
    }

    /**
     * Foretells the memory of a training step by layer kernels, without weights.
     *
     * @param adapters what adapters add to linear layers, by the layers' paths
     * @param computation what the model computes in, where and with what
     * @param rows the rows of a batch
     * @param length the tokens of its longest row
     * @return the bytes of activations; empty if such kernels cannot compute the model's layers
     */
    public Optional<StepMemory> stepMemory(
            Map<String, LowRankShape> adapters, Computation computation, int rows, int length) {
        StepSize size = computation.step(rows, length);
        Decoder decoder = new Decoder(architecture);
        IdentityHashMap<Parameter, LowRankShape> shapes = new IdentityHashMap<>();
        decoder.baseParameters()
                .forEach(
                        (name, parameter) -> {
                            String path = name.substring(0, name.lastIndexOf('.'));
                            if (name.endsWith(".weight") && adapters.containsKey(path)) {
                                shapes.put(parameter, adapters.get(path));
                            }
                        });
        return Optional.ofNullable(
                decoder.memory(
                        size,
                        (group, layer) -> {
                            LowRankShape shape = shapes.get(group.weight(layer));
                            return shape == null ? List.of() : List.of(shape);
                        }));
    }

    /**
     * Counts the parameters; a tied head counts once.
     *
     * @return the elements of all tensors
     */
    public long parameterCount() {
        return tensors().values().stream().mapToLong(Shape::size).reduce(0, Math::addExact);
    }

    /**
     * Returns the modules that adapters target unless told otherwise.
     *
     * @return the names of the family's linear layers, without the head and without the experts of
     *     a mixture, which are adapted if they are named
     */
    public List<String> defaultTargetModules() {
        return family.targetModules();
    }

    /**
     * Returns the modules that (IA)³ targets unless told otherwise: PEFT's, and for families that
     * PEFT has none for, those that correspond.
     *
     * @return the names; {@link #feedforwardModules} is among them
     */
    public List<String> defaultIa3TargetModules() {
        return List.copyOf(family.ia3TargetModules(architecture.names()));
    }

    /**
     * Returns the last layer of the feed-forward network, whose inputs (IA)³ scales: PEFT's {@code
     * feedforward_modules}.
     *
     * @return its name
     */
    public List<String> feedforwardModules() {
        return List.of(architecture.names().down());
    }

    /**
     * Returns the whole content.
     *
     * @return a copy
     */
    public JsonObject json() {
        return config.json().deepCopy();
    }

    /** Returns the config of the same model with a head of its own. */
    ModelConfig untied() {
        JsonObject json = json();
        family.untie(json);
        return of(json, config.source());
    }

    Architecture architecture() {
        return architecture;
    }

    /** Returns the layout of a checkpoint: the one of which the fewest tensors are missing. */
    CheckpointLayout layoutOf(TensorReader checkpoint) {
        Map<String, Shape> parameters = tensors();
        CheckpointLayout best = CheckpointLayout.PLAIN;
        long fewest = best.missingIn(checkpoint, parameters);
        for (CheckpointLayout layout : family.fusedLayouts(architecture)) {
            long missing = layout.missingIn(checkpoint, parameters);
            if (missing < fewest) {
                best = layout;
                fewest = missing;
            }
        }
        return best;
    }

    /**
     * Tells which tensors of a checkpoint say nothing: a head beside the embeddings that it is tied
     * to, and the tables of rotary positions in old files.
     */
    boolean isRedundant(TensorInfo tensor) {
        boolean head =
                architecture.tiedHead()
                        && tensor.name().equals(architecture.names().head() + ".weight")
                        && tensor.shape()
                                .equals(List.of((long) vocabularySize(), (long) hiddenSize()));
        return head || tensor.name().endsWith(".rotary_emb.inv_freq");
    }

    /** Returns the content with the element type of the weights that will lie beside it. */
    JsonObject jsonWith(Dtype dtype) {
        JsonObject json = json();
        if (json.has("dtype")) {
            json.addProperty("dtype", dtype.torchName());
        }
        if (json.has("torch_dtype") || !json.has("dtype")) {
            json.addProperty("torch_dtype", dtype.torchName());
        }
        return json;
    }
}
