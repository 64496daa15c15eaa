package io.peft4j.dora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import io.peft4j.lora.LowRankPair;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;

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
final class DoraState implements AdapterState {

    private static final TextModule KERNELS = TextModule.resource(DoraState.class, "dora.ts");

    private final LowRankPair pair;
    private final NDArray squaredNorm;
    private final NDArray scaling;
    private final Parameter magnitude;

    DoraState(LowRankPair pair, NDArray weight, NDManager owner) {
        this.pair = pair;
        squaredNorm = KERNELS.call(owner, "squared_row_norm", weight);
        scaling = owner.create((float) pair.scaling());
        magnitude =
                Parameter.builder()
                        .setName("lora_magnitude_vector")
                        .setType(Parameter.Type.OTHER)
                        .optShape(new Shape(weight.getShape().get(0)))
                        .optInitializer((m, s, type) -> rowNorm(m, weight))
                        .build();
        magnitude.initialize(owner, DataType.FLOAT32);
    }

    private NDArray rowNorm(NDManager owner, NDArray weight) {
        return KERNELS.call(
                owner,
                "row_norm",
                weight,
                squaredNorm,
                pair.a().getArray(),
                pair.b().getArray(),
                scaling);
    }

    @Override
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        parameters.put("lora_A.weight", pair.a());
        parameters.put("lora_B.weight", pair.b());
        parameters.put("lora_magnitude_vector", magnitude);
        return parameters;
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        NDManager owner = weight.getManager();
        try (NDManager scope = owner.newSubManager()) {
            NDArray delta = pair.delta(weight, store, training);
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
            if (training && pair.dropout() > 0) {
                NDArray dropped =
                        Dropout.dropout(x, (float) pair.dropout(), true).singletonOrThrow();
                dropped.attach(scope);
                NDArray turned = Linear.linear(dropped, weight).singletonOrThrow();
                return KERNELS.call(
                        owner, "update", turned, pair.apply(dropped, store, true), gain);
            }
            NDArray update = pair.apply(x, store, training);
            update.attach(scope);
            return KERNELS.call(owner, "update", base, update, gain);
        }
    }

    @Override
    public double dropout() {
        return pair.dropout();
    }

    @Override
    public void weightChanged(NDArray weight) {
        try (NDManager scope = weight.getManager().newSubManager()) {
            Tensors.copy(KERNELS.call(scope, "squared_row_norm", weight), squaredNorm);
        }
    }

    /** Returns m / |W + s B A| (out), in the given manager. */
    private NDArray gain(NDManager owner, NDArray weight, ParameterStore store, boolean training) {
        return KERNELS.call(
                owner,
                "gain",
                weight,
                squaredNorm,
                store.getValue(pair.a(), weight.getDevice(), training),
                store.getValue(pair.b(), weight.getDevice(), training),
                scaling,
                store.getValue(magnitude, weight.getDevice(), training));
    }

    @Override
    public OptionalInt rank() {
        return OptionalInt.of(pair.rank());
    }

    @Override
    public OptionalDouble scaling() {
        return OptionalDouble.of(pair.scaling());
    }

    @Override
    public void close() {
        pair.close();
        magnitude.close();
        squaredNorm.close();
        scaling.close();
    }
}
