package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.torch.TextModule;
import java.util.Collection;

/** The optimizer's operations on all parameters at once: one call into libtorch each. */
final class OptimizerKernels {

    static final TextModule MODULE = TextModule.resource(OptimizerKernels.class, "optimizer.ts");

    private OptimizerKernels() {}

    static NDList arrays(Collection<Parameter> parameters) {
        NDList arrays = new NDList(parameters.size());
        parameters.forEach(parameter -> arrays.add(parameter.getArray()));
        return arrays;
    }

    /** Numbers as float64, which a kernel reads without a rounding. */
    static NDArray doubles(NDManager owner, double... values) {
        return owner.create(values);
    }
}
