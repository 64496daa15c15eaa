package io.peft4j.dora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.LowRankUpdate;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.WeightChange;
import io.peft4j.lora.LowRankPair;
import io.peft4j.lora.LowRankState;
import io.peft4j.torch.DropoutMask;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * DoRA at one site: \(W' = g \odot (W + s B A)\) with the gain \(g = m / \lVert W + s B A \rVert\)
 * per output row.
 *
 * <p>How the norm is had cheaply: \(\lVert W + sBA \rVert^2 = \lVert W \rVert^2 + 2 s \sum (W A^T)
 * \odot B + s^2 \sum (B A A^T) \odot B\), sums over a row. The first term is computed once; the
 * others cost 2 · out · in · rank, and nothing of the size of W is made (arXiv:2603.22276). At
 * initialisation the sum is exactly the first term, so that g is exactly 1 and the model unchanged.
 *
 * <p>Without dropout the update of \(x W^T\) is \((g - 1) \odot x W^T + g \odot s x A^T B^T\); the
 * bias is not scaled. With dropout in training, as PEFT does it, the dropped input goes through
 * both terms.
 */
final class DoraState extends LowRankState {

    static final TextModule KERNELS =
            TextModule.resource(DoraState.class, "dora.ts", "/io/peft4j/lora/merge.ts");

    private final NDArray squaredNorm;
    private final NDArray scale;
    private final Parameter magnitude;
    private final NDManager manager;
    private final RowNorms norms;

    DoraState(LowRankPair pair, Site site, NDArray weight, NDManager owner) {
        super(pair);
        squaredNorm = KERNELS.call(owner, "squared_row_norm", weight);
        manager = owner;
        scale = owner.create((float) pair.scaling());
        norms = new RowNorms(owner, squaredNorm, scale);
        magnitude =
                Parameter.builder()
                        .setName("lora_magnitude_vector")
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape(site))
                        .optInitializer((m, s, type) -> rowNorm(m, weight, s))
                        .build();
        magnitude.initialize(owner, DataType.FLOAT32);
    }

    /** (out), or for a convolution (1, out, 1, …). */
    private static Shape shape(Site site) {
        if (site.kind() != Site.Kind.CONV) {
            return new Shape(site.outFeatures());
        }
        long[] axes = new long[site.shape().dimension()];
        Arrays.fill(axes, 1);
        axes[1] = site.outFeatures();
        return new Shape(axes);
    }

    private NDArray rowNorm(NDManager owner, NDArray weight, Shape shape) {
        try (NDManager scope = owner.newSubManager()) {
            ParameterStore store = new ParameterStore(scope, false);
            NDList f = pair().factors(scope, weight.getDevice(), store, false);
            NDArray norm =
                    KERNELS.call(scope, "row_norm", weight, squaredNorm, f.get(0), f.get(1), scale);
            NDArray shaped = norm.reshape(shape);
            shaped.attach(owner);
            return shaped;
        }
    }

    @Override
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>(super.parameters());
        parameters.put("lora_magnitude_vector", magnitude);
        return parameters;
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        NDManager owner = weight.getManager();
        try (NDManager scope = owner.newSubManager()) {
            NDArray delta = pair().delta(weight, store, training);
            delta.attach(scope);
            NDArray direction = delta.add(weight); // (out, in)
            NDArray m = store.getValue(magnitude, weight.getDevice(), training);
            return KERNELS.call(owner, "turned", direction, m);
        }
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        NDManager owner = x.getManager();
        try (NDManager scope = owner.newSubManager()) {
            NDArray gain = gain(scope, weight, store, training);
            if (training && dropout() > 0) {
                NDArray dropped = DropoutMask.drop(x, DropoutMask.drawSeed(), dropout());
                dropped.attach(scope);
                NDArray turned = Linear.linear(dropped, weight).singletonOrThrow();
                NDArray update = pair().apply(dropped, store, true);
                if (!pair().startsFromWeight()) {
                    return KERNELS.call(owner, "update", turned, update, gain);
                }
                // the frozen part that the pair started from sees the whole input
                NDArray rest = pair().apply(x, dropped, store, true).sub(update);
                NDArray y = KERNELS.call(scope, "update", turned, update, gain).add(rest);
                y.attach(owner);
                return y;
            }
            NDArray update = pair().apply(x, store, training);
            update.attach(scope);
            return KERNELS.call(owner, "update", base, update, gain);
        }
    }

    @Override
    public NDArray embeddingUpdate(
            NDArray ids, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        NDManager owner = ids.getManager();
        try (NDManager scope = owner.newSubManager()) {
            NDArray gain = gain(scope, weight, store, training);
            NDArray update = pair().rows(ids, store, training);
            update.attach(scope);
            return KERNELS.call(owner, "update", base, update, gain);
        }
    }

    @Override
    public @Nullable WeightChange mergeInto(NDArray weight, ParameterStore store, boolean write) {
        NDArray m = store.getValue(magnitude, weight.getDevice(), false);
        return pair().mergeInto(KERNELS, weight, List.of(m), store, write);
    }

    @Override
    public boolean computesInBaseType() {
        return true;
    }

    @Override
    public void weightChanged(NDArray weight) {
        super.weightChanged(weight);
        try (NDManager scope = weight.getManager().newSubManager()) {
            Tensors.copy(KERNELS.call(scope, "squared_row_norm", weight), squaredNorm);
            norms.forget();
        }
    }

    @Override
    public @Nullable LowRankUpdate lowRankUpdate(
            NDArray weight, ParameterStore store, boolean training) {
        Device device = weight.getDevice();
        if (pair().startsFromWeight() || !norms.isHome(device)) {
            return null;
        }
        NDArray m = store.getValue(magnitude, device, training);
        NDArray norm = norms.of(weight, pair().factors(manager, device, store, training));
        return pair().update(device, store, training, new LowRankUpdate.Gain(m, norm));
    }

    /** Returns m / |W + s B A| (out), in the given manager. */
    private NDArray gain(NDManager scope, NDArray weight, ParameterStore store, boolean training) {
        Device device = weight.getDevice();
        NDList factors = pair().factors(scope, device, store, training);
        NDArray m = store.getValue(magnitude, device, training);
        return pair().startsFromWeight() || !norms.isHome(device)
                ? KERNELS.call(
                        scope,
                        "gain",
                        weight,
                        squaredNorm,
                        factors.get(0),
                        factors.get(1),
                        scale,
                        m)
                : KERNELS.call(scope, "gain_of_norm", norms.of(weight, factors), m);
    }

    @Override
    public void close() {
        super.close();
        norms.close();
        magnitude.close();
        squaredNorm.close();
        scale.close();
    }
}
