package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.util.Preconditions;
import io.peft4j.torch.GradMode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Tells which parameters got a gradient since their gradients were last zeroed.
 *
 * <p>A gradient of zeros says nothing: the loss may not depend on the parameter, or it may and the
 * slope is zero. What tells is libtorch's version counter of the gradient, which every accumulation
 * raises. torch's optimizers skip a parameter without a gradient, weight decay included, so the
 * difference is part of the result.
 */
public final class GradientCoverage {

    private final List<String> names;
    private final NDList arrays;
    private long[] before;

    /**
     * Watches parameters from now on.
     *
     * @param parameters the trainable parameters by name, initialised, one at least
     */
    public GradientCoverage(Map<String, Parameter> parameters) {
        Preconditions.checkArgument(!parameters.isEmpty(), "expected one parameter at least");
        names = List.copyOf(new LinkedHashMap<>(parameters).keySet());
        arrays = OptimizerKernels.arrays(parameters.values());
        before = call("versions");
    }

    /** Fills all gradients with zeros and forgets who got one. */
    public void zero() {
        before = call("zero");
    }

    /**
     * Returns who got a gradient since {@link #zero}.
     *
     * @return the parameters' names, in their order
     */
    public List<String> covered() {
        return select(true);
    }

    /**
     * Returns who got no gradient since {@link #zero}.
     *
     * @return the parameters' names, in their order
     */
    public List<String> missing() {
        return select(false);
    }

    private List<String> select(boolean covered) {
        long[] now = call("versions");
        List<String> selected = new ArrayList<>();
        for (int i = 0; i < now.length; i++) {
            if ((now[i] != before[i]) == covered) {
                selected.add(names.get(i));
            }
        }
        return selected;
    }

    private long[] call(String method) {
        NDManager owner = arrays.get(0).getManager();
        try (GradMode off = GradMode.disabled();
                NDArray versions =
                        OptimizerKernels.MODULE
                                .callLists(owner, method, List.of(arrays))
                                .singletonOrThrow()) {
            return versions.toLongArray();
        }
    }
}
