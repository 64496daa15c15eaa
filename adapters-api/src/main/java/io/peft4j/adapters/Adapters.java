package io.peft4j.adapters;

import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Puts adapters on a model. */
public final class Adapters {

    private static final Logger LOGGER = LoggerFactory.getLogger(Adapters.class);

    /** What PEFT writes for every method. */
    private static final Set<String> COMMON_KEYS =
            Set.of(
                    "auto_mapping",
                    "base_model_name_or_path",
                    "exclude_modules",
                    "inference_mode",
                    "layers_pattern",
                    "layers_to_transform",
                    "modules_to_save",
                    "peft_type",
                    "peft_version",
                    "revision",
                    "target_modules",
                    "task_type");

    private Adapters() {}

    /**
     * Lists the weights of a model that an adapter can attach to: those of linear layers,
     * convolutions and embeddings, and other weights of two axes. A weight of three, as
     * LinearCollection's, is none, nor is a transposed convolution's.
     *
     * @param base the model's root block, initialised or loaded
     * @return the sites, in model order
     */
    public static List<Site> sites(Block base) {
        return new BaseModel(base).weights().values().stream().map(BaseWeight::site).toList();
    }

    /**
     * Tells which sites a config would adapt, and changes nothing.
     *
     * @param base the model's root block, initialised or loaded
     * @param config the adapter's settings
     * @return the sites, in model order
     * @throws AdapterConfigException if a target or a pattern of the config matches nothing; the
     *     message lists near names
     */
    public static List<Site> dryRun(Block base, AdapterConfig config) {
        return new BaseModel(base).select(config).stream().map(BaseWeight::site).toList();
    }

    /**
     * Attaches a new adapter named {@code default} and freezes the base. The model's output does
     * not change until the adapter is trained or loaded.
     *
     * @param base the model's root block, initialised or loaded
     * @param config the adapter's settings
     * @param seed decides the adapter's initial values
     * @return the model with its adapter
     * @throws AdapterConfigException if a target matches nothing or the settings do not fit a site;
     *     the model is then as it was
     * @throws IllegalStateException if the block has adapters already
     */
    public static AdaptedModel attach(Block base, AdapterConfig config, long seed) {
        AdaptedModel model = open(base);
        try {
            model.add(AdaptedModel.DEFAULT, config, seed);
            return model;
        } catch (RuntimeException | Error e) {
            model.abandon();
            throw e;
        }
    }

    /**
     * Attaches a new adapter whose initial values are always the same: seed 42.
     *
     * @param base the model's root block, initialised or loaded
     * @param config the adapter's settings
     * @return the model with its adapter
     * @throws AdapterConfigException as {@link #attach(Block, AdapterConfig, long)}
     */
    public static AdaptedModel attach(Block base, AdapterConfig config) {
        return attach(base, config, 42);
    }

    /**
     * Attaches a new adapter to a DJL model: its block is the adapted one from now on, for its
     * trainers and predictors, until the result is closed. Initial values are those of seed 42.
     *
     * @param model a model with a block that is initialised or loaded
     * @param config the adapter's settings
     * @return the model with its adapter
     * @throws AdapterConfigException as {@link #attach(Block, AdapterConfig, long)}
     */
    public static AdaptedModel attach(Model model, AdapterConfig config) {
        return install(model, attach(model.getBlock(), config));
    }

    /**
     * Attaches a saved adapter, named {@code default}.
     *
     * @param base the model's root block, initialised or loaded
     * @param directory a directory in PEFT's format
     * @return the model with its adapter
     * @throws AdapterConfigException if the settings are malformed, of no known method, or do not
     *     fit the model; the model is then as it was
     * @throws AdapterMismatchException if the tensors do not fit; the model is then as it was
     * @throws IOException if the files cannot be read
     */
    public static AdaptedModel load(Block base, Path directory) throws IOException {
        AdaptedModel model = open(base);
        try {
            model.load(AdaptedModel.DEFAULT, directory);
            return model;
        } catch (IOException | RuntimeException | Error e) {
            model.abandon();
            throw e;
        }
    }

    /**
     * Attaches a saved adapter to a DJL model, as {@link #attach(Model, AdapterConfig)} does.
     *
     * @param model a model with a block that is initialised or loaded
     * @param directory a directory in PEFT's format
     * @return the model with its adapter
     * @throws AdapterConfigException as {@link #load(Block, Path)}
     * @throws AdapterMismatchException as {@link #load(Block, Path)}
     * @throws IOException if the files cannot be read
     */
    public static AdaptedModel load(Model model, Path directory) throws IOException {
        return install(model, load(model.getBlock(), directory));
    }

    /**
     * Computes what a provenance names a base model by.
     *
     * @param base the model's root block, initialised or loaded, without adapters
     * @return as {@link AdaptedModel#baseFingerprint}
     */
    public static String baseFingerprint(Block base) {
        return BaseFingerprint.of(new BaseModel(base), Parameter::getArray);
    }

    /**
     * Makes a base ready for adapters, without any yet.
     *
     * @param base the base; stays the caller's to close
     * @return the model, which computes as the base until an adapter is added
     * @throws IllegalStateException if the base has adapters already, or a parameter without values
     */
    public static AdaptedModel open(Block base) {
        if (base instanceof AdaptedBlock) {
            throw new IllegalStateException(
                    "this block has adapters already; add another to the adapted model");
        }
        for (Pair<String, Parameter> parameter : base.getParameters()) {
            if (!parameter.getValue().isInitialized()) {
                throw new IllegalStateException(
                        "parameter "
                                + parameter.getKey()
                                + " has no values yet; initialise or load the model before"
                                + " attaching");
            }
        }
        return new AdaptedModel(base);
    }

    private static AdaptedModel install(Model model, AdaptedModel adapted) {
        Block base = model.getBlock();
        model.setBlock(adapted.block());
        adapted.onClose(() -> model.setBlock(base));
        return adapted;
    }

    /**
     * Reads the settings of a saved adapter.
     *
     * @param directory a directory in PEFT's format
     * @return the settings
     * @throws AdapterConfigException if they are malformed or of no method on the class path
     * @throws IOException if the file cannot be read
     */
    public static AdapterConfig readConfig(Path directory) throws IOException {
        return readConfig(AdapterFiles.readConfig(directory));
    }

    /**
     * Reads the settings of a saved adapter in the names of a model's modules, which are those of
     * the file unless the model is an {@link AdapterHost} that says otherwise.
     *
     * @param base the model's root block
     * @param directory a directory in PEFT's format
     * @return the settings that {@link #load} would attach
     * @throws AdapterConfigException as {@link #readConfig(Path)}, or if the model does not have
     *     what they are about
     * @throws AdapterMismatchException if the tensors are not those of the settings
     * @throws IOException if the files cannot be read
     */
    public static AdapterConfig readConfig(Block base, Path directory) throws IOException {
        try (OpenAdapter opened = OpenAdapter.open(directory, base)) {
            return readConfig(opened.content().config());
        }
    }

    /**
     * Reads settings that are in memory.
     *
     * @param config the content of an {@code adapter_config.json}
     * @return the settings
     * @throws AdapterConfigException if they are malformed or of no method on the class path
     */
    public static AdapterConfig readConfig(PeftConfig config) {
        List<String> known = new ArrayList<>();
        for (AdapterMethod method : ServiceLoader.load(AdapterMethod.class)) {
            if (method.recognises(config)) {
                warnOfUnknown(method, config);
                return read(method, config);
            }
            known.add(method.name());
        }
        throw new AdapterConfigException(
                config.source()
                        + ": peft_type "
                        + config.string("peft_type").orElse("(missing)")
                        + " is not supported; the methods on the class path are "
                        + known);
    }

    /** A setting of a newer PEFT may change the maths: it is not passed over in silence. */
    private static void warnOfUnknown(AdapterMethod method, PeftConfig config) {
        for (String key : config.json().keySet()) {
            boolean known = COMMON_KEYS.contains(key) || method.configKeys().contains(key);
            if (!known && config.isSet(key)) {
                LOGGER.warn(
                        "{}: \"{}\": {} is not known to {} and left aside",
                        config.source(),
                        key,
                        config.json().get(key),
                        method.name());
            }
        }
    }

    /** Makes sure that a complaint names the file it is about. */
    private static AdapterConfig read(AdapterMethod method, PeftConfig config) {
        try {
            return method.read(config);
        } catch (AdapterConfigException e) {
            if (String.valueOf(e.getMessage()).startsWith(config.source())) {
                throw e;
            }
            throw new AdapterConfigException(config.source() + ": " + e.getMessage(), e);
        }
    }
}
