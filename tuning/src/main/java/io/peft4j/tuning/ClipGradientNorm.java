package io.peft4j.tuning;

import ai.djl.Device;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.util.Preconditions;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;

/**
 * Clips the gradients of DJL's {@code Trainer} together by their global norm, as {@code
 * torch.nn.utils.clip_grad_norm_} with {@code error_if_nonfinite}. DJL's optimizers only clip
 * elements.
 *
 * <p>As a listener it clips after each {@code EasyTrain.trainBatch}, that is after backward and
 * before {@code trainer.step()}. Who steps once in several batches does not add it as a listener
 * but calls {@link #clip} before {@code trainer.step()}, so that the sum is clipped and not what
 * has come together so far.
 *
 * <p>All parameters of the trainer's model count that require a gradient, one that is used twice
 * once. The norm before clipping is kept, and goes into the trainer's metrics as {@value #METRIC}.
 * The optimizer's {@code setRescaleGrad} comes later and is not in it.
 */
public final class ClipGradientNorm extends TrainingListenerAdapter {

    /** The metric's name. */
    public static final String METRIC = "gradient_norm";

    private final double maxNorm;
    private OptionalDouble norm = OptionalDouble.empty();

    /**
     * Makes a listener.
     *
     * @param maxNorm the largest norm allowed; 0 only measures
     */
    public ClipGradientNorm(double maxNorm) {
        Preconditions.checkArgument(
                maxNorm >= 0 && Double.isFinite(maxNorm),
                "expected a norm of 0 or more, found " + maxNorm);
        this.maxNorm = maxNorm;
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData batchData) {
        clip(trainer);
    }

    /**
     * Clips what the gradients of a trainer's model are now.
     *
     * @param trainer the trainer, between backward and {@code step()}
     * @return the norm before clipping
     * @throws ArithmeticException if the norm is not finite; the parameters are as they were, and
     *     the gradients zeroed, so that training may go on with the next batch
     * @throws IllegalStateException if the model has no trainable parameter, or the trainer has
     *     several devices or another than the model's: DJL then keeps the gradients to itself
     */
    public double clip(Trainer trainer) {
        List<Parameter> parameters =
                trainer.getModel().getBlock().getParameters().values().stream()
                        .filter(p -> p.isInitialized() && p.requiresGradient())
                        .distinct()
                        .toList();
        requireReachable(trainer, parameters);
        double found = GradientClipping.clip(parameters, maxNorm);
        norm = OptionalDouble.of(found);
        Metrics metrics = trainer.getMetrics();
        if (metrics != null) {
            metrics.addMetric(METRIC, found);
        }
        if (!Double.isFinite(found)) {
            GradientClipping.zero(parameters);
            throw new ArithmeticException(
                    "expected a finite gradient norm, found "
                            + found
                            + "; the gradients are zeroed, the parameters as they were");
        }
        return found;
    }

    private static void requireReachable(Trainer trainer, List<Parameter> parameters) {
        if (parameters.isEmpty()) {
            throw new IllegalStateException(
                    "expected a trainable parameter in the model "
                            + trainer.getModel().getName()
                            + ", found none");
        }
        Device[] devices = trainer.getDevices();
        for (Parameter parameter : parameters) {
            NDArray array = parameter.getArray();
            if (devices.length != 1 || !devices[0].equals(array.getDevice())) {
                throw new IllegalStateException(
                        "expected a model on the trainer's only device, but "
                                + parameter.getName()
                                + " is on "
                                + array.getDevice()
                                + " and the trainer on "
                                + Arrays.toString(devices)
                                + ": DJL gives no access to the gradients there; create the model"
                                + " with that device");
            }
        }
    }

    /**
     * Returns the global norm at the last clipping, before it.
     *
     * @return the norm, not finite perhaps; empty before the first batch
     */
    public OptionalDouble norm() {
        return norm;
    }
}
