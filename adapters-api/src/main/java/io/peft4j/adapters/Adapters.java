package io.peft4j.adapters;

import ai.djl.nn.Block;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.stream.Collectors;

/** Puts adapters on a model. */
public final class Adapters {

    private Adapters() {}

    /**
     * Lists the weights of a model that an adapter can attach to.
     *
     * @param base the model's root block
     * @return the sites, in model order
     */
    public static List<Site> sites(Block base) {
        List<Site> sites = new ArrayList<>();
        linears(base).forEach((path, linear) -> sites.add(linear.site(path)));
        return sites;
    }

    /**
     * Tells which sites a config would adapt, and changes nothing.
     *
     * @param base the model's root block
     * @param config the adapter's settings
     * @return the sites, in model order
     * @throws AdapterConfigException if a target or a pattern of the config matches nothing; the
     *     message lists near names
     */
    public static List<Site> dryRun(Block base, AdapterConfig config) {
        List<Site> sites = sites(base);
        Set<String> heads =
                sites.stream().filter(Site::outputHead).map(Site::path).collect(Collectors.toSet());
        Set<String> linears = sites.stream().map(Site::path).collect(Collectors.toSet());
        Set<String> chosen =
                Set.copyOf(
                        config.targetModules()
                                .select(BlockTree.paths(base).keySet(), linears, heads));
        List<Site> selected = sites.stream().filter(site -> chosen.contains(site.path())).toList();
        config.validate(selected);
        return selected;
    }

    /**
     * Attaches a new adapter and freezes the base. The model's output does not change until the
     * adapter is trained or loaded.
     *
     * @param base the model's root block, initialised or loaded
     * @param config the adapter's settings
     * @param seed decides the adapter's initial values
     * @return the model with its adapter
     * @throws AdapterConfigException if a target matches nothing or the settings do not fit a site;
     *     the model is then as it was
     */
    public static AdaptedModel attach(Block base, AdapterConfig config, long seed) {
        Map<String, AdaptableLinear> linears = linears(base);
        Map<Site, AdaptableLinear> chosen = new LinkedHashMap<>();
        for (Site site : dryRun(base, config)) {
            chosen.put(site, linears.get(site.path()));
        }
        return AdaptedModel.attach(base, config, chosen, seed);
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
     * Attaches a saved adapter.
     *
     * @param base the model's root block
     * @param directory a directory in PEFT's format
     * @return the model with its adapter
     * @throws AdapterConfigException if the settings are malformed, of no known method, or do not
     *     fit the model; the model is then as it was
     * @throws AdapterMismatchException if the tensors do not fit; the model is then as it was
     * @throws IOException if the files cannot be read
     */
    public static AdaptedModel load(Block base, Path directory) throws IOException {
        AdaptedModel model = attach(base, readConfig(directory), 0);
        try {
            model.load(directory);
            return model;
        } catch (IOException | RuntimeException e) {
            model.close();
            throw e;
        }
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
        PeftConfig config = AdapterFiles.readConfig(directory);
        List<String> known = new ArrayList<>();
        for (AdapterMethod method : ServiceLoader.load(AdapterMethod.class)) {
            if (method.recognises(config)) {
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

    private static Map<String, AdaptableLinear> linears(Block base) {
        Map<String, AdaptableLinear> linears = new LinkedHashMap<>();
        BlockTree.paths(base)
                .forEach(
                        (path, block) -> {
                            if (block instanceof AdaptableLinear linear) {
                                linears.put(path, linear);
                            }
                        });
        return linears;
    }
}
