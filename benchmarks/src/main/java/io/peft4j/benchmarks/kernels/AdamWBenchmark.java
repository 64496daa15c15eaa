package io.peft4j.benchmarks.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.peft4j.torch.GradMode;
import io.peft4j.tuning.AdamW;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * A step of AdamW over all LoRA matrices of the model: {@code optimizer.ts}, one call for all
 * parameters. DJL's own takes them one after the other.
 */
@SuppressWarnings("NullAway.Init")
public class AdamWBenchmark extends KernelBenchmark {

    private static final float RATE = 1e-6f;
    private static final int LAYERS = 16;
    private static final int KEYS = 320;

    /** Inputs and outputs of a layer's linear layers. */
    private static final int[][] LINEARS = {
        {HIDDEN, HIDDEN},
        {HIDDEN, KEYS},
        {HIDDEN, KEYS},
        {HIDDEN, HIDDEN},
        {HIDDEN, INNER},
        {HIDDEN, INNER},
        {INNER, HIDDEN}
    };

    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final List<NDArray> gradients = new ArrayList<>();
    private AdamW optimizer;
    private Optimizer plain;
    private List<NDList> flat;
    private NDArray settings;

    @Override
    void prepare() {
        long size = 0;
        for (int layer = 0; layer < LAYERS; layer++) {
            for (int[] linear : LINEARS) {
                size += add(RANK, linear[0]) + add(linear[1], RANK);
            }
        }
        optimizer = AdamW.builder().setParameters(parameters).build();
        plain = Optimizer.adamW().optLearningRateTracker(Tracker.fixed(RATE)).build();
        flat = new ArrayList<>();
        for (int i = 0; i < 4; i++) { // parameters, gradients, both moments
            flat.add(new NDList(i < 2 ? random(size) : manager().zeros(new Shape(size))));
        }
        flat.add(new NDList(manager().zeros(new Shape())));
        settings = manager().create(new double[] {RATE, 0.9, 0.999, 1e-8, 0});
    }

    private long add(long... shape) {
        String name = String.valueOf(parameters.size());
        Parameter parameter =
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.OTHER)
                        .optShape(new Shape(shape))
                        .build();
        parameter.setInitializer((owner, s, type) -> random(shape));
        parameter.initialize(manager(), DataType.FLOAT32);
        parameters.put(name, parameter);
        gradients.add(leaf(parameter.getArray()).getGradient());
        return shape[0] * shape[1];
    }

    @Override
    NDArray byKernel(NDManager scope) {
        optimizer.step(parameters.keySet(), RATE);
        return scope.create(1);
    }

    @Override
    NDArray plainGradient(NDManager scope) {
        try (GradMode off = GradMode.disabled()) {
            int i = 0;
            for (Map.Entry<String, Parameter> entry : parameters.entrySet()) {
                plain.update(entry.getKey(), entry.getValue().getArray(), gradients.get(i++));
            }
        }
        return scope.create(1);
    }

    /** Times the same operation with all parameters in one array, as with their gradients. */
    @Benchmark
    public void flat() {
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager().newSubManager()) {
            kernels().callLists(scope, "fused", flat, settings);
        }
    }
}
