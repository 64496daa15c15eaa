package io.peft4j.tuning;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.ParameterTracker;
import ai.djl.training.tracker.Tracker;
import ai.djl.util.Preconditions;
import java.util.HashMap;
import java.util.Map;

/**
 * {@link AdamW}, torch's, for DJL's {@code Trainer}.
 *
 * <pre>{@code
 * try (AdamWOptimizer optimizer = AdamWOptimizer.builder().optWeightDecays(0.01f).build();
 *         Trainer trainer =
 *                 model.newTrainer(
 *                         new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
 *                                 .optOptimizer(optimizer)
 *                                 .addTrainingListeners(new ClipGradientNorm(1)))) {
 *     trainer.initialize(shape);
 *     EasyTrain.fit(trainer, epochs, data, null);
 * }
 * }</pre>
 *
 * <p>What is otherwise than in DJL's own {@code AdamW}: the results are torch's; a parameter that
 * no backward has reached since the last step stays as it is, its decay included, although DJL
 * hands in a gradient of zeros for it; {@code optClipGrad} clips both signs, each element for
 * itself ({@link ClipGradientNorm} clips as torch users mean it); the state can be freed. The
 * tracker of the learning rate hears how many steps were taken, from 1, as all of DJL's do; {@code
 * optBeginNumUpdate} moves its count alone.
 *
 * <p>A parameter's first step takes any gradient that is there as one of a backward: that is wrong
 * only where another training of the same arrays has left zeros. With several devices DJL adds up
 * the gradients, which looks like a backward, so that there every parameter moves.
 *
 * <p><b>Numbers in losses and blocks.</b> DJL's arithmetic with a Java number puts the number into
 * a Java buffer and lets go of it at once, but of {@code mul}, {@code div}, {@code pow}, {@code
 * maximum} and {@code minimum} the graph for backward keeps the address. When the garbage collector
 * comes by between forward and backward, the gradients are silently wrong, by any factor. Of DJL's
 * losses, {@code L2Loss} and {@code QuantileL1Loss} always do so, and softmax cross-entropy,
 * sigmoid cross-entropy and hinge loss where they have a weight other than 1. Instead of {@code
 * L2Loss} write {@code prediction.sub(label).square().mean()}; put other numbers into an array of
 * {@link io.peft4j.torch.Tensors#of} that is kept. {@code add}, {@code sub}, {@code neg}, {@code
 * clip}, {@code sum} and {@code mean} are safe.
 *
 * <p>The state is float32, lies on its parameter's device, and is freed by {@link #close} or with
 * the manager of its parameter, whichever comes first; a {@code Trainer} does not close its
 * optimizer. Not thread-safe, as the trainer is not.
 */
public final class AdamWOptimizer extends Optimizer implements AutoCloseable {

    private final ParameterTracker learningRate;
    private final AdamWSettings settings;
    private final Map<String, ParameterGroup> groups;
    private final Map<String, Tracked> tracked = new HashMap<>();

    private AdamWOptimizer(Builder builder) {
        super(builder);
        learningRate = builder.learningRateTracker;
        settings =
                new AdamWSettings(
                        builder.beta1,
                        builder.beta2,
                        builder.epsilon,
                        getWeightDecay(),
                        rescaleGrad,
                        clipGrad);
        groups = Map.copyOf(builder.groups);
    }

    /**
     * Moves a parameter on one device, if backward has reached it, and zeroes its gradient.
     *
     * @param parameterId the parameter's id
     * @param weight the parameter on the device, float32
     * @param grad its gradient, summed over the devices; it stays as it is
     * @throws IllegalArgumentException if the parameter is not float32, or its learning rate not
     *     finite
     */
    @Override
    public void update(String parameterId, NDArray weight, NDArray grad) {
        Device device = weight.getDevice();
        Tracked parameter =
                tracked.computeIfAbsent(
                        parameterId,
                        id -> new Tracked(device, groups.getOrDefault(id, ParameterGroup.DEFAULT)));
        DeviceState state = parameter.on(weight);
        if (device.equals(parameter.home)) { // DJL comes here with the first device first
            parameter.moves = state.hasGradient(weight);
            parameter.rate = learningRate.getNewValue(parameterId, updateCount(parameterId));
            Preconditions.checkArgument(
                    Float.isFinite(parameter.rate),
                    "expected a finite learning rate, found " + parameter.rate);
        }
        if (parameter.moves) {
            state.step(weight, grad, settings, parameter.rate, parameter.group);
        }
        state.zeroGradient(weight);
    }

    /** Frees the state; a step after it starts anew. */
    @Override
    public void close() {
        tracked.values().forEach(Tracked::close);
        tracked.clear();
    }

    /** A parameter on all its devices, which must stay equal: the first decides for all. */
    private static final class Tracked implements AutoCloseable {

        private final Device home;
        private final ParameterGroup group;
        private final Map<Device, DeviceState> states = new HashMap<>();
        private boolean moves;
        private float rate;

        Tracked(Device home, ParameterGroup group) {
            this.home = home;
            this.group = group;
        }

        DeviceState on(NDArray weight) {
            DeviceState state = states.get(weight.getDevice());
            if (state == null || !state.isOpen()) { // a mirror goes with its trainer
                state = new DeviceState(weight);
                states.put(weight.getDevice(), state);
            }
            return state;
        }

        @Override
        public void close() {
            states.values().forEach(DeviceState::close);
        }
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link AdamWOptimizer}; the defaults are torch's: rate 1e-3, decay 0.01. */
    public static final class Builder extends OptimizerBuilder<Builder> {

        private ParameterTracker learningRateTracker = Tracker.fixed(1e-3f);
        private double beta1 = 0.9;
        private double beta2 = 0.999;
        private double epsilon = 1e-8;
        private final Map<String, ParameterGroup> groups = new HashMap<>();

        private Builder() {
            optWeightDecays(0.01f);
        }

        @Override
        protected Builder self() {
            return this;
        }

        /**
         * Sets where the learning rate comes from.
         *
         * @param tracker the tracker, such as {@code Tracker.fixed(1e-4f)}
         * @return this builder
         */
        public Builder optLearningRateTracker(ParameterTracker tracker) {
            learningRateTracker = tracker;
            return this;
        }

        /**
         * Sets the decay rate of the first moment.
         *
         * @param value β1
         * @return this builder
         */
        public Builder optBeta1(double value) {
            beta1 = value;
            return this;
        }

        /**
         * Sets the decay rate of the second moment.
         *
         * @param value β2
         * @return this builder
         */
        public Builder optBeta2(double value) {
            beta2 = value;
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
         * Sets which parameters have settings of their own.
         *
         * @param parameters the parameters by name, as an adapted model gives them
         * @param byName groups by the same names, as of {@link LoraPlus#groups}; a parameter
         *     without one is in {@link ParameterGroup#DEFAULT}
         * @return this builder
         */
        public Builder optGroups(
                Map<String, Parameter> parameters, Map<String, ParameterGroup> byName) {
            byName.forEach(
                    (name, group) -> {
                        Parameter parameter = parameters.get(name);
                        if (parameter == null) {
                            throw new IllegalArgumentException(
                                    "a group for " + name + ", which is no parameter");
                        }
                        groups.put(parameter.getId(), group);
                    });
            return this;
        }

        /**
         * Builds the optimizer.
         *
         * @return the optimizer, without state before its first step
         */
        public AdamWOptimizer build() {
            return new AdamWOptimizer(this);
        }
    }
}
