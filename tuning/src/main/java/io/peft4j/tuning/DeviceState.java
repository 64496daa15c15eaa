package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.Preconditions;
import io.peft4j.torch.GradMode;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** AdamW's state of one parameter on one device; torch too makes it at the first gradient. */
final class DeviceState implements AutoCloseable {

    /** What the kernel says of a gradient that was never made. */
    private static final long NEVER = -1;

    private final NDManager manager;
    private long version = NEVER;
    private @Nullable Moments moments;

    private record Moments(NDArray mean, NDArray square, NDArray steps) {}

    /**
     * Makes a state whose moments are zero.
     *
     * @param weight the parameter on its device
     */
    DeviceState(NDArray weight) {
        Preconditions.checkArgument(
                weight.getDataType() == DataType.FLOAT32,
                "AdamW needs float32, but the parameter "
                        + weight.getName()
                        + " "
                        + weight.getShape()
                        + " is "
                        + weight.getDataType());
        manager = weight.getManager().newSubManager(weight.getDevice());
    }

    /** Tells whether a backward has written to the gradient since {@link #zeroGradient}. */
    boolean hasGradient(NDArray weight) {
        return call("versions", weight) != version;
    }

    void zeroGradient(NDArray weight) {
        version = call("zero", weight);
    }

    private long call(String method, NDArray weight) {
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager.newSubManager()) {
            return OptimizerKernels.MODULE
                    .callLists(scope, method, List.of(new NDList(weight)))
                    .singletonOrThrow()
                    .toLongArray()[0];
        }
    }

    void step(
            NDArray weight,
            NDArray gradient,
            AdamWSettings settings,
            double learningRate,
            ParameterGroup group) {
        Moments state = moments(weight);
        List<NDList> lists =
                List.of(
                        new NDList(weight),
                        new NDList(gradient),
                        new NDList(state.mean),
                        new NDList(state.square),
                        new NDList(state.steps));
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager.newSubManager()) {
            NDArray hyper = OptimizerKernels.doubles(scope, settings.hyper(learningRate, group));
            OptimizerKernels.MODULE.callLists(scope, "adamw_by", lists, hyper);
        }
    }

    private Moments moments(NDArray weight) {
        Moments made = moments;
        if (made == null) {
            made =
                    new Moments(
                            manager.zeros(weight.getShape(), DataType.FLOAT32),
                            manager.zeros(weight.getShape(), DataType.FLOAT32),
                            manager.zeros(new Shape(), DataType.FLOAT32));
            moments = made;
        }
        return made;
    }

    boolean isOpen() {
        return manager.isOpen();
    }

    @Override
    public void close() {
        manager.close();
    }
}
