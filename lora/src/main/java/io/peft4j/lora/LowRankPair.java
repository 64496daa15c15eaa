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

/**
 * The pair of low-rank factors at one site and their scaling s: the update of the weight is \(s B
 * A\), with A (rank, in) and B (out, rank), float32.
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
    private final Parameter a;
    private final Parameter b;
    private final NDArray scale;

    private LowRankPair(
            int rank, double scaling, double dropout, Parameter a, Parameter b, NDArray scale) {
        this.rank = rank;
        this.scaling = scaling;
        this.dropout = dropout;
        this.a = a;
        this.b = b;
        this.scale = scale;
    }

    /**
     * Creates a pair for a site with the rank and scaling that the config gives it.
     *
     * @param config the settings
     * @param site the site
     * @param owner the manager of the new tensors
     * @param seed decides the values of A
     * @return the pair
     */
    public static LowRankPair create(LowRankConfig config, Site site, NDManager owner, long seed) {
        int rank = config.rank(site.path());
        int in = Math.toIntExact(site.inFeatures());
        float[] values = config.init().sampleA(rank, in, seed);
        Parameter a =
                parameter("lora_A", owner, new Shape(rank, in), (m, s) -> Tensors.of(m, values, s));
        Parameter b =
                parameter(
                        "lora_B",
                        owner,
                        new Shape(site.outFeatures(), rank),
                        (m, s) -> m.zeros(s, DataType.FLOAT32));
        double scaling = config.scaling(site.path());
        NDArray scale = owner.create(scaling);
        return new LowRankPair(rank, scaling, config.dropout(), a, b, scale);
    }

    private interface Values {
        NDArray create(NDManager manager, Shape shape);
    }

    private static Parameter parameter(String name, NDManager owner, Shape shape, Values values) {
        Parameter parameter =
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape)
                        .optInitializer((m, s, type) -> values.create(m, s))
                        .build();
        parameter.initialize(owner, DataType.FLOAT32);
        return parameter;
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
     * @return a number in [0, 1)
     */
    public double dropout() {
        return dropout;
    }

    /**
     * Returns the down-projection.
     *
     * @return A (rank, in)
     */
    public Parameter a() {
        return a;
    }

    /**
     * Returns the up-projection.
     *
     * @return B (out, rank)
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

    /** Frees all tensors; a second call does nothing. */
    @Override
    public void close() {
        a.close();
        b.close();
        scale.close();
    }
}
