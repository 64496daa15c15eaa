package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.util.Preconditions;
import io.peft4j.torch.GradMode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * AdamW as torch defines it (Loshchilov and Hutter, arXiv:1711.05101), which DJL's is not: the
 * decay is decoupled, both moments are corrected for their bias, and eps stands outside the root.
 *
 * <pre>
 * θ ← θ (1 − lr·decay)
 * m ← β1 m + (1 − β1) g        v ← β2 v + (1 − β2) g²
 * θ ← θ − lr · (m / (1 − β1ᵗ)) / (√(v / (1 − β2ᵗ)) + eps)
 * </pre>
 *
 * <p>t counts a parameter's own steps, and a parameter that is left out of a step keeps everything
 * as it was, its decay included. All of a step is one fused call, or one for each {@link
 * ParameterGroup}. The state is float32 and named by parameter.
 *
 * <p>{@link AdamWOptimizer} is the same for DJL's {@code Trainer}.
 */
public final class AdamW implements AutoCloseable {

    private final AdamWSettings settings;
    private final NDManager manager;
    private final Map<String, Slot> slots = new LinkedHashMap<>();

    private record Slot(
            NDArray parameter, ParameterGroup group, NDArray mean, NDArray square, NDArray steps) {}

    private AdamW(Builder builder) {
        settings =
                new AdamWSettings(
                        builder.beta1, builder.beta2, builder.epsilon, builder.weightDecay);
        manager =
                builder.parameters
                        .values()
                        .iterator()
                        .next()
                        .getArray()
                        .getManager()
                        .newSubManager();
        builder.parameters.forEach(
                (name, parameter) -> {
                    NDArray array = parameter.getArray();
                    slots.put(
                            name,
                            new Slot(
                                    array,
                                    builder.groups.getOrDefault(name, ParameterGroup.DEFAULT),
                                    manager.zeros(array.getShape(), DataType.FLOAT32),
                                    manager.zeros(array.getShape(), DataType.FLOAT32),
                                    manager.zeros(new Shape(), DataType.FLOAT32)));
                });
    }

    /**
     * Takes a step.
     *
     * @param names the parameters to move: those that got a gradient, see {@link GradientCoverage}
     * @param learningRate the rate of this step, which a group multiplies
     */
    public void step(Collection<String> names, double learningRate) {
        Map<ParameterGroup, List<NDList>> groups = new LinkedHashMap<>();
        for (String name : names) {
            Slot slot = slot(name);
            List<NDList> lists =
                    groups.computeIfAbsent(
                            slot.group,
                            group ->
                                    List.of(
                                            new NDList(),
                                            new NDList(),
                                            new NDList(),
                                            new NDList()));
            lists.get(0).add(slot.parameter);
            lists.get(1).add(slot.mean);
            lists.get(2).add(slot.square);
            lists.get(3).add(slot.steps);
        }
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager.newSubManager()) {
            groups.forEach((group, lists) -> step(scope, group, lists, learningRate));
        }
    }

    private void step(
            NDManager scope, ParameterGroup group, List<NDList> lists, double learningRate) {
        NDArray hyper = OptimizerKernels.doubles(scope, settings.hyper(learningRate, group));
        OptimizerKernels.MODULE.callLists(scope, "adamw", lists, hyper);
    }

    private Slot slot(String name) {
        Slot slot = slots.get(name);
        if (slot == null) {
            throw new IllegalArgumentException("no parameter named " + name);
        }
        return slot;
    }

    /**
     * Returns the state under torch's names.
     *
     * @return {@code NAME.exp_avg} and {@code NAME.exp_avg_sq}, of the parameter's shape, and
     *     {@code NAME.step}, a scalar; the arrays are the optimizer's own
     */
    Map<String, NDArray> state() {
        Map<String, NDArray> state = new LinkedHashMap<>();
        slots.forEach(
                (name, slot) -> {
                    state.put(name + ".exp_avg", slot.mean);
                    state.put(name + ".exp_avg_sq", slot.square);
                    state.put(name + ".step", slot.steps);
                });
        return state;
    }

    /** Frees the state; the parameters stay. */
    @Override
    public void close() {
        manager.close();
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link AdamW}; the defaults are torch's but for the decay, which is 0. */
    public static final class Builder {

        private final Map<String, Parameter> parameters = new LinkedHashMap<>();
        private final Map<String, ParameterGroup> groups = new LinkedHashMap<>();
        private double beta1 = 0.9;
        private double beta2 = 0.999;
        private double epsilon = 1e-8;
        private double weightDecay;

        private Builder() {}

        /**
         * Sets the required parameters.
         *
         * @param trainable the parameters by name, initialised, float32
         * @return this builder
         */
        public Builder setParameters(Map<String, Parameter> trainable) {
            parameters.putAll(trainable);
            return this;
        }

        /**
         * Sets which parameters have settings of their own.
         *
         * @param byName groups by the parameters' names, as of {@link LoraPlus#groups}; a parameter
         *     without one is in {@link ParameterGroup#DEFAULT}
         * @return this builder
         */
        public Builder optGroups(Map<String, ParameterGroup> byName) {
            groups.putAll(byName);
            return this;
        }

        /**
         * Sets the decay rates of the moments.
         *
         * @param first β1
         * @param second β2
         * @return this builder
         */
        public Builder optBetas(double first, double second) {
            beta1 = first;
            beta2 = second;
            return this;
        }

        /**
         * Sets what is added to the root.
         *
         * @param value eps
         * @return this builder
         */
        public Builder optEpsilon(double value) {
            epsilon = value;
            return this;
        }

        /**
         * Sets the decoupled weight decay.
         *
         * @param value the factor of the learning rate
         * @return this builder
         */
        public Builder optWeightDecay(double value) {
            weightDecay = value;
            return this;
        }

        /**
         * Builds the optimizer, its state all zeros.
         *
         * @return the optimizer
         */
        public AdamW build() {
            List<String> wrong = new ArrayList<>();
            parameters.forEach(
                    (name, parameter) -> {
                        if (parameter.getArray().getDataType() != DataType.FLOAT32) {
                            wrong.add(name + " is " + parameter.getArray().getDataType());
                        }
                    });
            Preconditions.checkArgument(wrong.isEmpty(), "expected float32, but " + wrong);
            Preconditions.checkArgument(!parameters.isEmpty(), "expected one parameter at least");
            Preconditions.checkArgument(
                    parameters.keySet().containsAll(groups.keySet()),
                    "groups for parameters that are not there: "
                            + groups.keySet().stream()
                                    .filter(name -> !parameters.containsKey(name))
                                    .toList());
            return new AdamW(this);
        }
    }
}
