package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import io.peft4j.torch.TextModule;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The decoder's TorchScript kernels, and the few numbers they are called with. */
final class Kernels {

    static final TextModule DECODER =
            TextModule.resource(Kernels.class, "decoder.ts", "token_scores.ts");

    // kernels read numbers on the host, so these stay on the CPU whatever the model's device
    private static final NDManager MANAGER = NDManager.newBaseManager(Device.cpu(), "PyTorch");
    private static final Map<Number, NDArray> NUMBERS = new ConcurrentHashMap<>();

    private Kernels() {}

    /** Returns a whole number that the architecture fixes, kept for the life of the process. */
    static NDArray constant(long value) {
        return NUMBERS.computeIfAbsent(value, v -> MANAGER.create(value));
    }

    /** Returns a number that the architecture fixes, kept for the life of the process. */
    static NDArray constant(double value) {
        return NUMBERS.computeIfAbsent(value, v -> MANAGER.create(value));
    }

    /** Tells whether backward from an array would reach anything. */
    static boolean isTracked(NDArray array) {
        try (NDArray tracked = DECODER.call(array.getManager(), "is_tracked", array)) {
            return tracked.getBoolean();
        }
    }

    /** Views some rows of a tensor. */
    static NDArray rows(NDManager owner, NDArray array, long from, long to) {
        return array.get(owner, new NDIndex().addSliceDim(from, to));
    }
}
