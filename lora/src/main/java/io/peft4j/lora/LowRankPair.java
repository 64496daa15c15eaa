package io.peft4j.lora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.LowRankUpdate;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.WeightChange;
import io.peft4j.torch.NoDropout;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The pair of low-rank factors at one site and their scaling s: the update of the weight is \(s B
 * A\), with A (rank, in) and B (out, rank), float32.
 *
 * <p>They are kept in the shapes that PEFT has on disk: for a convolution A is a kernel (rank, in,
 * …) and B a kernel (out, rank, 1, …) of one point; for an embedding in counts the entries and out
 * is the dimension.
 *
 * <p>Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, arXiv:2106.09685. With rank
 * stabilisation, s is \(\alpha / \sqrt r\) instead of \(\alpha / r\) (Kalajdzievski,
 * arXiv:2312.03732).
 */
public final class LowRankPair implements AutoCloseable {

    static final TextModule KERNELS = TextModule.resource(LowRankPair.class, "lora.ts", "merge.ts");

    private final int rank;
    private final double scaling;
    private final double dropout;
    private final boolean embedding;
    private final Parameter a;
    private final Parameter b;
    private final NDArray scale;

    private final LoraInit init;
    private final @Nullable NDList start;

    private LowRankPair(
            LowRankConfig config, Site site, NDManager owner, NDArray down, NDArray up) {
        rank = config.rank(site.path());
        scaling = config.scaling(site.path());
        embedding = site.kind() == Site.Kind.EMBEDDING;
        dropout = embedding ? 0 : config.dropout(); // an entry's number is nothing to drop
        init = config.init();
        a = parameter("lora_A", owner, shapeOfA(site, rank), down);
        b = parameter("lora_B", owner, shapeOfB(site, rank), up);
        start =
                init.startsFromWeight() && !embedding
                        ? new NDList(Tensors.clone(owner, down), Tensors.clone(owner, up))
                        : null;
        scale = owner.create(scaling);
    }

    /**
     * Creates a pair for a site with the rank and scaling that the config gives it.
     *
     * @param config the settings
     * @param site the site
     * @param weight the frozen weight as a matrix (out, in), float32
     * @param owner the manager of the new tensors
     * @param seed decides the initial values
     * @return the pair
     * @throws AdapterConfigException if the initialisation does not fit the site
     */
    public static LowRankPair create(
            LowRankConfig config, Site site, NDArray weight, NDManager owner, long seed) {
        int rank = config.rank(site.path());
        try (NDManager scope = owner.newSubManager()) {
            if (site.kind() == Site.Kind.EMBEDDING) {
                NDArray a = scope.zeros(new Shape(rank, site.inFeatures()));
                NDArray b = Draws.normal(scope, new Shape(site.outFeatures(), rank), 1, seed);
                return new LowRankPair(config, site, owner, a, b);
            }
            double scaling = config.scaling(site.path());
            NDList factors = config.init().start(scope, weight, rank, scaling, seed);
            return new LowRankPair(config, site, owner, factors.get(0), factors.get(1));
        } catch (AdapterConfigException e) {
            throw new AdapterConfigException(site.path() + ": " + e.getMessage(), e);
        }
    }

    private static Shape shapeOfA(Site site, int rank) {
        boolean kernel = site.kind() == Site.Kind.CONV;
        Shape one = new Shape(rank);
        return kernel ? one.addAll(site.shape().slice(1)) : one.add(site.inFeatures());
    }

    private static Shape shapeOfB(Site site, int rank) {
        Shape shape = new Shape(site.outFeatures(), rank);
        return site.kind() == Site.Kind.CONV ? shape.addAll(point(site)) : shape;
    }

    /** A kernel's axes behind the channels, each of length 1. */
    private static Shape point(Site site) {
        Shape shape = new Shape();
        for (int axis = 2; axis < site.shape().dimension(); axis++) {
            shape = shape.add(1);
        }
        return shape;
    }

    private static Parameter parameter(String name, NDManager owner, Shape shape, NDArray values) {
        Parameter parameter =
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape)
                        .optInitializer((m, s, type) -> copy(m, values, s))
                        .build();
        parameter.initialize(owner, DataType.FLOAT32);
        return parameter;
    }

    private static NDArray copy(NDManager owner, NDArray values, Shape shape) {
        try (NDArray shaped = values.reshape(shape)) {
            return Tensors.clone(owner, shaped);
        }
    }

    /**
     * Returns A and B.
     *
     * @return the parameters by PEFT's key below the site
     */
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        parameters.put(embedding ? "lora_embedding_A" : "lora_A.weight", a);
        parameters.put(embedding ? "lora_embedding_B" : "lora_B.weight", b);
        return parameters;
    }

    /**
     * Returns the rank.
     *
     * @return r
     */
    public int rank() {
        return rank;
    }

    /**
     * Returns the factor of the update.
     *
     * @return s
     */
    public double scaling() {
        return scaling;
    }

    /**
     * Returns the probability of dropping an input of A in training.
     *
     * @return a number in [0, 1); 0 for an embedding, and where {@link NoDropout} is on
     */
    public double dropout() {
        return NoDropout.isOn() ? 0 : dropout;
    }

    /**
     * Returns the down-projection.
     *
     * @return A (rank, in), or (rank, in, …) for a convolution
     */
    public Parameter a() {
        return a;
    }

    /**
     * Returns the up-projection.
     *
     * @return B (out, rank), or (out, rank, 1, …) for a convolution
     */
    public Parameter b() {
        return b;
    }

    /**
     * Tells whether the pair started from a part of the weight, so that its update is what it has
     * gained since: \(s (B A - B_0 A_0)\).
     *
     * @return whether there is an A₀ and B₀
     */
    public boolean startsFromWeight() {
        return start != null;
    }

    /**
     * Returns factors whose product is the update without its scaling: A and B, or, for a pair that
     * started from a part of the weight, \([A; A_0]\) and \([B, -B_0]\) of twice the rank.
     *
     * @param owner the manager of joined factors; A and B themselves stay where they are
     * @param device the wanted device
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return the factors, first the one of shape (rank, in), or (rank, in, …) for a convolution
     */
    public NDList factors(NDManager owner, Device device, ParameterStore store, boolean training) {
        NDArray down = store.getValue(a, device, training);
        NDArray up = store.getValue(b, device, training);
        return start == null
                ? new NDList(down, up)
                : KERNELS.callList(owner, "joined", down, up, start.get(0), start.get(1));
    }

    /**
     * Tells the update of a linear layer as numbers.
     *
     * @param device the wanted device
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @param gain the factor per output, or null
     * @return the update, or null for a pair that started from a part of the weight
     */
    public @Nullable LowRankUpdate update(
            Device device,
            ParameterStore store,
            boolean training,
            LowRankUpdate.@Nullable Gain gain) {
        return start == null
                ? new LowRankUpdate(
                        store.getValue(a, device, training),
                        store.getValue(b, device, training),
                        scaling,
                        dropout(),
                        gain)
                : null;
    }

    /**
     * Computes the update of the weight.
     *
     * @param weight any array on the wanted device; the result belongs to its manager
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return \(s B A\) (out, in), less the start's
     */
    public NDArray delta(NDArray weight, ParameterStore store, boolean training) {
        NDManager owner = weight.getManager();
        NDArray down = store.getValue(a, weight.getDevice(), training);
        NDArray up = store.getValue(b, weight.getDevice(), training);
        return start == null
                ? KERNELS.call(owner, "delta", down, up, scale)
                : KERNELS.call(owner, "delta_since", down, up, start.get(0), start.get(1), scale);
    }

    /**
     * Applies the update without making it.
     *
     * @param x the input, (…, in)
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return \(s (x A^T) B^T\) (…, out), less the start's
     */
    public NDArray apply(NDArray x, ParameterStore store, boolean training) {
        return apply(x, x, store, training);
    }

    /**
     * Applies the update with dropout. What the pair started from is a part of the frozen weight,
     * and sees the whole input, as in PEFT.
     *
     * @param x the input, (…, in)
     * @param dropped the input after dropout, (…, in)
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return \(s (x_{dropped} A^T) B^T\) (…, out), less the start's of x
     */
    public NDArray apply(NDArray x, NDArray dropped, ParameterStore store, boolean training) {
        NDManager owner = x.getManager();
        NDArray down = store.getValue(a, x.getDevice(), training);
        NDArray up = store.getValue(b, x.getDevice(), training);
        return start == null
                ? KERNELS.call(owner, "update", dropped, down, up, scale)
                : KERNELS.call(
                        owner,
                        "update_since",
                        x,
                        dropped,
                        down,
                        up,
                        start.get(0),
                        start.get(1),
                        scale);
    }

    /**
     * Looks rows of an embedding's update up, without making it.
     *
     * @param ids the entries (…), INT64
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return rows of \(s A^T B^T\) (…, out)
     */
    public NDArray rows(NDArray ids, ParameterStore store, boolean training) {
        return KERNELS.call(
                ids.getManager(),
                "rows",
                ids,
                store.getValue(a, ids.getDevice(), training),
                store.getValue(b, ids.getDevice(), training),
                scale);
    }

    /**
     * Writes the effective weight over the weight, see {@link
     * io.peft4j.adapters.AdapterState#mergeInto}.
     *
     * @param kernels has {@code merge} of {@code merge.ts}, and its own {@code merged_rows}
     * @param weight W (out, in), of any floating-point type
     * @param own the method's other tensors, which go to {@code merged_rows}
     * @param store where parameters are read from
     * @param write whether it is to be written
     * @return what changes; null for a convolution, an embedding, or a pair that started from a
     *     part of the weight
     */
    public @Nullable WeightChange mergeInto(
            TextModule kernels,
            NDArray weight,
            List<NDArray> own,
            ParameterStore store,
            boolean write) {
        Device device = weight.getDevice();
        NDArray down = store.getValue(a, device, false);
        if (start != null || embedding || down.getShape().dimension() != 2) {
            return null;
        }
        try (TorchValue w = TorchValue.of(weight);
                TorchValue ofA = TorchValue.of(down);
                TorchValue ofB = TorchValue.of(store.getValue(b, device, false));
                TorchValue others = TorchValue.of(own);
                TorchValue s = TorchValue.ofDoubles(scaling);
                TorchValue flag = TorchValue.of(write);
                TorchValue result = kernels.infer("merge", w, ofA, ofB, others, s, flag);
                NDArray figures = result.tensor(weight.getManager())) {
            double[] all = figures.toDoubleArray();
            return new WeightChange(all[0], all[1], all[2], all[3] == 0);
        }
    }

    /** Finds the start anew in a weight with other values; A and B stay. */
    void weightChanged(NDArray weight) {
        if (start != null) {
            try (NDManager scope = weight.getManager().newSubManager()) {
                NDList found = init.start(scope, weight, rank, scaling, 0);
                Tensors.copy(found.get(0), start.get(0));
                Tensors.copy(found.get(1), start.get(1));
            }
        }
    }

    /**
     * Applies an embedding's update in the output head that is tied to it, without making it.
     *
     * @param h the head's input (…, out)
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return \(s (h B) A\) (…, in)
     */
    public NDArray applyTied(NDArray h, ParameterStore store, boolean training) {
        NDArray now =
                tied(
                        h,
                        store.getValue(a, h.getDevice(), training),
                        store.getValue(b, h.getDevice(), training));
        if (start == null) {
            return now;
        }
        try (now;
                NDArray before = tied(h, start.get(0), start.get(1))) {
            return now.sub(before);
        }
    }

    private NDArray tied(NDArray h, NDArray down, NDArray up) {
        return KERNELS.call(h.getManager(), "tied", h, down, up, scale);
    }

    /** Frees all tensors; a second call does nothing. */
    @Override
    public void close() {
        a.close();
        b.close();
        scale.close();
        if (start != null) {
            start.close();
        }
    }
}
