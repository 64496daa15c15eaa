package io.peft4j.ia3;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Site;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * (IA)³ at one site: a factor l per output, {@code y = l ⊙ (x · Wᵀ + b)}, or in a feed-forward
 * module per input, {@code y = (l ⊙ x) · Wᵀ + b}.
 */
final class Ia3State implements AdapterState {

    private static final TextModule KERNELS = TextModule.resource(Ia3State.class, "ia3.ts");

    private final boolean ofInputs;
    private final Parameter l;

    /**
     * Creates the factors.
     *
     * @param site where they act
     * @param ofInputs whether they are the inputs' factors, and not the outputs'
     * @param ones whether they begin as ones, which change nothing; else they are N(0, 1)
     * @param owner the manager of the factors
     * @param seed decides the random values
     */
    Ia3State(Site site, boolean ofInputs, boolean ones, NDManager owner, long seed) {
        this.ofInputs = ofInputs;
        l =
                Parameter.builder()
                        .setName("ia3_l")
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape(site, ofInputs))
                        .optInitializer(
                                (m, shape, type) ->
                                        ones
                                                ? m.ones(shape, DataType.FLOAT32)
                                                : normal(m, shape, seed))
                        .build();
        l.initialize(owner, DataType.FLOAT32);
    }

    /** PEFT's shapes: (out, 1) or (1, in), and of a convolution (1, channels, 1, …). */
    private static Shape shape(Site site, boolean ofInputs) {
        if (site.kind() == Site.Kind.CONV || site.kind() == Site.Kind.GROUPED_CONV) {
            long[] axes = new long[site.shape().dimension()];
            Arrays.fill(axes, 1);
            axes[1] = site.shape().get(ofInputs ? 1 : 0);
            return new Shape(axes);
        }
        return ofInputs ? new Shape(1, site.inFeatures()) : new Shape(site.outFeatures(), 1);
    }

    private static NDArray normal(NDManager owner, Shape shape, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensors.of(owner, values, shape);
    }

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of("ia3_l", l);
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        String kernel = ofInputs ? "scaled_inputs" : "scaled_outputs";
        NDArray factors = store.getValue(l, weight.getDevice(), training);
        return KERNELS.call(weight.getManager(), kernel, weight, factors);
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        NDArray factors = store.getValue(l, x.getDevice(), training);
        return ofInputs
                ? KERNELS.call(x.getManager(), "input_update", x, weight, factors)
                : KERNELS.call(x.getManager(), "output_update", base, factors);
    }

    @Override
    public boolean computesInBaseType() {
        return true;
    }

    /** Outputs are scaled with their bias. */
    @Override
    public boolean changesBias() {
        return !ofInputs;
    }

    /** Factors multiply. */
    @Override
    public boolean composes() {
        return true;
    }

    @Override
    public void close() {
        l.close();
    }
}
