package io.peft4j.adapters;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
     * @throws AdapterConfigException if a target matches nothing; the message lists near names
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
        return sites.stream()
                .filter(site -> chosen.contains(site.path()))
                .collect(Collectors.toList());
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
