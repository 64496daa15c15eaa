package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.torch.GradMode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Makes adapters: the states of all sites that a config selects in a base model. */
final class AdapterCreation {

    private AdapterCreation() {}

    /**
     * Makes an adapter with its states, or nothing at all.
     *
     * @param base the model's root block, with its own weights
     * @param name what to call it
     * @param config the settings
     * @param seed decides the initial values
     * @param fingerprint tells the base model apart, when it is asked for
     */
    static Adapter create(
            Block base,
            String name,
            AdapterConfig config,
            long seed,
            Supplier<String> fingerprint) {
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
                attachments.add(attach(config, factory, weight, owner, seed));
                AdapterState bias = factory.createBias(weight.site(), owner);
                if (bias != null) {
                    String prefix = AdapterFiles.prefix(weight.site().path());
                    attachments.add(new Attachment(layout.bias(weight), bias, prefix, false));
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

    private static Attachment attach(
            AdapterConfig config,
            AdapterFactory factory,
            BaseWeight weight,
            NDManager owner,
            long seed) {
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
    static void requireDropoutActs(Attachment attachment) {
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
