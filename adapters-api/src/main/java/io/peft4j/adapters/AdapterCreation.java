package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.torch.GradMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Makes an adapter's states on the weights that its config targets, new or with saved values. */
final class AdapterCreation {

    private final Block base;
    private final AdapterConfig config;
    private final long seed;

    /**
     * Prepares to create.
     *
     * @param base the model
     * @param config the settings
     * @param seed decides the initial values
     */
    AdapterCreation(Block base, AdapterConfig config, long seed) {
        this.base = base;
        this.config = config;
        this.seed = seed;
    }

    /**
     * Creates a new adapter; nothing is left of it if it cannot be.
     *
     * @param name its name
     * @param fingerprint computes the base's, for the provenance
     */
    Adapter create(String name, Supplier<String> fingerprint) {
        Adapter adapter = withoutHistory(name, fingerprint);
        try {
            adapter.attachments().forEach(AdapterCreation::requireDropoutActs);
            adapter.provenanceLog().created(seed);
        } catch (RuntimeException e) {
            adapter.delete();
            throw e;
        }
        return adapter;
    }

    /**
     * Creates an adapter and gives it saved values; nothing is left of it if it cannot have them.
     *
     * @param base the model
     * @param name its name
     * @param directory a directory in PEFT's format
     * @param fingerprint computes the base's, for the provenance
     */
    static Adapter load(Block base, String name, Path directory, Supplier<String> fingerprint)
            throws IOException {
        try (OpenAdapter opened = OpenAdapter.open(directory, base)) {
            SavedAdapter saved = opened.content();
            AdapterConfig config = Adapters.readConfig(saved.config());
            Adapter adapter =
                    new AdapterCreation(base, config, 0).withoutHistory(name, fingerprint);
            try {
                adapter.load(directory, saved, true);
            } catch (IOException | RuntimeException | Error e) {
                adapter.delete();
                throw e;
            }
            return adapter;
        }
    }

    private Adapter withoutHistory(String name, Supplier<String> fingerprint) {
        BaseModel layout = new BaseModel(base); // as it is now: a head may have been untied
        List<BaseWeight> weights = layout.select(config);
        NDManager owner = weights.get(0).array().getManager().newSubManager();
        List<Attachment> attachments = new ArrayList<>();
        Map<String, Parameter> shared = new LinkedHashMap<>();
        try (GradMode off = GradMode.disabled()) {
            List<Site> sites = weights.stream().map(BaseWeight::site).toList();
            AdapterFactory factory = config.begin(sites, owner, seed);
            factory.shared().forEach((key, p) -> shared.put(AdapterFiles.sharedKey(key), p));
            for (BaseWeight weight : weights) {
                Attachment attachment = attach(factory, weight, owner);
                attachments.add(attachment);
                BaseWeight bias = layout.bias(weight).orElse(null);
                if (bias != null && attachment.state().changesBias()) {
                    attachments.add(attachment.ofBias(bias));
                }
                AdapterState own = factory.createBias(weight.site(), owner);
                if (own != null) {
                    attachments.add(
                            new Attachment(
                                    required(bias, weight), own, attachment.keyPrefix(), false));
                }
            }
            new OwnParameters(layout, config, weights).attach(owner, attachments::add);
        } catch (RuntimeException | Error e) {
            attachments.forEach(attachment -> attachment.state().close());
            owner.close();
            throw e;
        }
        return new Adapter(
                name,
                config,
                owner,
                shared,
                attachments,
                new ProvenanceLog(name, config, fingerprint),
                base);
    }

    private static BaseWeight required(@Nullable BaseWeight bias, BaseWeight weight) {
        if (bias == null) {
            throw new AdapterConfigException(
                    weight.site().path()
                            + " has no bias that an adapter could add to; leave its own bias off");
        }
        return bias;
    }

    private Attachment attach(AdapterFactory factory, BaseWeight weight, NDManager owner) {
        Site site = weight.site();
        long siteSeed = 31 * seed + site.path().hashCode(); // String.hashCode is specified
        try (NDManager scope = owner.newSubManager()) {
            NDArray array = weight.array();
            boolean wide = array.getDataType() == DataType.FLOAT32;
            NDArray matrix = wide ? weight.matrix(scope, array) : weight.float32Matrix(scope);
            AdapterState state = factory.create(site, matrix, owner, siteSeed);
            boolean kept = config.ensureWeightTying() && !site.tiedTo().isEmpty();
            if (kept && state.tiedKeys().isEmpty()) {
                state.close();
                throw new AdapterConfigException(
                        "ensure_weight_tying: an adapter of method "
                                + config.method()
                                + " on "
                                + site.path()
                                + " cannot be kept tied to "
                                + String.join(", ", site.tiedTo())
                                + "; leave ensure_weight_tying off, or use another method");
            }
            return new Attachment(weight, state, AdapterFiles.prefix(site.path()), kept);
        }
    }

    /** A saved adapter may have such a dropout: it can be used and merged, only not trained. */
    private static void requireDropoutActs(Attachment attachment) {
        double dropout = attachment.state().dropout();
        if (dropout > 0 && attachment.weight().site().kind() != Site.Kind.LINEAR) {
            throw new AdapterConfigException(
                    attachment.path()
                            + " is adapted through its weight, where dropout "
                            + dropout
                            + " cannot act on the input; set dropout 0 for an adapter of it");
        }
    }
}
