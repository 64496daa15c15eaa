package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Site;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.SplittableRandom;

/** A (rank, in) and B (out, rank) at one site; B begins as zeros. */
final class PlainState implements AdapterState {

    private static final double SCALING = 0.5;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def effective(self, w: Tensor, a: Tensor, b: Tensor) -> Tensor:
                        return torch.add(w, torch.mm(b, a), alpha=0.5)
                      def linear(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
                        return torch.mul(torch.linear(torch.linear(x, a), b), 0.5)
                      def rows(self, ids: Tensor, a: Tensor, b: Tensor) -> Tensor:
                        return torch.mul(torch.linear(torch.embedding(torch.t(a), ids), b), 0.5)
                    """);

    private final PlainConfig config;
    private final Parameter a;
    private final Parameter b;

    PlainState(PlainConfig config, Site site, NDManager owner, long seed) {
        this.config = config;
        a = parameter("plain_A", owner, new Shape(config.rank(), site.inFeatures()), seed, 0.3);
        b = parameter("plain_B", owner, new Shape(site.outFeatures(), config.rank()), seed, 0);
    }

    private static Parameter parameter(
            String name, NDManager owner, Shape shape, long seed, double deviation) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = deviation == 0 ? 0 : (float) (deviation * random.nextGaussian());
        }
        Parameter parameter =
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.OTHER)
                        .optShape(shape)
                        .optInitializer((m, s, type) -> Tensors.of(m, values, s))
                        .build();
        parameter.initialize(owner, DataType.FLOAT32);
        return parameter;
    }

    @Override
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        parameters.put("plain_A.weight", a);
        parameters.put("plain_B.weight", b);
        return parameters;
    }

    private NDArray call(String kernel, NDArray argument, ParameterStore store, boolean training) {
        return KERNELS.call(
                argument.getManager(),
                kernel,
                argument,
                store.getValue(a, argument.getDevice(), training),
                store.getValue(b, argument.getDevice(), training));
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        return call("effective", weight, store, training);
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        if (training && config.dropout() > 0) {
            try (NDArray dropped =
                    Dropout.dropout(x, (float) config.dropout(), true).singletonOrThrow()) {
                return call("linear", dropped, store, true);
            }
        }
        return call("linear", x, store, training);
    }

    @Override
    public NDArray embeddingUpdate(
            NDArray ids, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return call("rows", ids, store, training);
    }

    @Override
    public double dropout() {
        return config.dropout();
    }

    @Override
    public OptionalInt rank() {
        return OptionalInt.of(config.rank());
    }

    @Override
    public OptionalDouble scaling() {
        return OptionalDouble.of(SCALING);
    }

    @Override
    public void close() {
        a.close();
        b.close();
    }
}
