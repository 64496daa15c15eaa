package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.Site;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.LinkedHashMap;
import java.util.Map;

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

    private static final TextModule KERNELS = TextModule.resource(LowRankPair.class, "lora.ts");

    private final int rank;
    private final double scaling;
    private final double dropout;
    private final boolean embedding;
    private final Parameter a;
    private final Parameter b;
    private final NDArray scale;

    private LowRankPair(
            LowRankConfig config, Site site, Parameter a, Parameter b, NDManager owner) {
        rank = config.rank(site.path());
        scaling = config.scaling(site.path());
        embedding = site.kind() == Site.Kind.EMBEDDING;
        dropout = embedding ? 0 : config.dropout(); // an entry's number is nothing to drop
        this.a = a;
        this.b = b;
        scale = owner.create(scaling);
    }

    /**
     * Creates a pair for a site with the rank and scaling that the config gives it.
     *
     * @param config the settings
     * @param site the site
     * @param owner the manager of the new tensors
     * @param seed decides the initial values
     * @return the pair
     */
    public static LowRankPair create(LowRankConfig config, Site site, NDManager owner, long seed) {
        int rank = config.rank(site.path());
        int in = Math.toIntExact(site.inFeatures());
        int out = Math.toIntExact(site.outFeatures());
        boolean embedding = site.kind() == Site.Kind.EMBEDDING;
        float[] down = embedding ? new float[0] : config.init().sampleA(rank, in, seed);
        float[] up = embedding ? LoraInit.normal(out * rank, 1, seed) : new float[0];
        Parameter a = parameter("lora_A", owner, shapeOfA(site, rank), down);
        Parameter b = parameter("lora_B", owner, shapeOfB(site, rank), up);
        return new LowRankPair(config, site, a, b, owner);
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

    /** Without values, it is zero. */
    private static Parameter parameter(String name, NDManager owner, Shape shape, float[] values) {
        Parameter parameter =
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape)
                        .optInitializer(
                                (m, s, type) ->
                                        values.length == 0
                                                ? m.zeros(s, DataType.FLOAT32)
                                                : Tensors.of(m, values, s))
                        .build();
        parameter.initialize(owner, DataType.FLOAT32);
        return parameter;
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
     * @return a number in [0, 1); 0 for an embedding
     */
    public double dropout() {
        return dropout;
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
     * Computes the update of the weight.
     *
     * @param weight any array on the wanted device; the result belongs to its manager
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return \(s B A\) (out, in)
     */
    public NDArray delta(NDArray weight, ParameterStore store, boolean training) {
        return KERNELS.call(
                weight.getManager(),
                "delta",
                store.getValue(a, weight.getDevice(), training),
                store.getValue(b, weight.getDevice(), training),
                scale);
    }

    /**
     * Applies the update without making it.
     *
     * @param x the input, (…, in), after dropout
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return \(s (x A^T) B^T\) (…, out)
     */
    public NDArray apply(NDArray x, ParameterStore store, boolean training) {
        return KERNELS.call(
                x.getManager(),
                "update",
                x,
                store.getValue(a, x.getDevice(), training),
                store.getValue(b, x.getDevice(), training),
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

    /** Frees all tensors; a second call does nothing. */
    @Override
    public void close() {
        a.close();
        b.close();
        scale.close();
    }
}
