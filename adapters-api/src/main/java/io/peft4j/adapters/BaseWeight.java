package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import io.peft4j.torch.Tensors;
import java.util.List;

/**
 * A frozen parameter of the base model, and one use of it.
 *
 * @param site what it is there
 * @param parameter the parameter
 * @param use what asks for it: the parameter itself, or the layer that is tied to its owner and has
 *     no parameter of its own
 */
record BaseWeight(Site site, Parameter parameter, Object use) {

    BaseWeight(Site site, Parameter parameter) {
        this(site, parameter, parameter);
    }

    /** Tells whether the weight belongs to another module. */
    boolean isTied() {
        return use != parameter;
    }

    BaseWeight tiedTo(List<String> modules) {
        return modules.isEmpty() ? this : new BaseWeight(site.tiedTo(modules), parameter, use);
    }

    BaseWeight storedInOut() {
        return new BaseWeight(site.storedInOut(), parameter, use);
    }

    NDArray array() {
        return parameter.getArray();
    }

    /**
     * Views a weight as a matrix (out, in). The view has its own handle even where the shape stays,
     * so that results of operations on it belong to the given manager, not to the model's.
     */
    NDArray matrix(NDManager owner, NDArray weight) {
        NDArray view =
                site.transposed()
                        ? weight.transpose()
                        : weight.reshape(site.outFeatures(), site.inFeatures());
        view.attach(owner);
        return view;
    }

    /** Undoes {@link #matrix}; the result belongs to the given manager. */
    NDArray stored(NDManager owner, NDArray matrix) {
        NDArray weight = site.transposed() ? matrix.transpose() : matrix.reshape(site.shape());
        weight.attach(owner);
        return weight;
    }

    /** Copies the weight's current values in float32. */
    NDArray float32(NDManager owner) {
        NDArray array = array();
        NDArray wide = owner.create(array.getShape(), DataType.FLOAT32);
        Tensors.copy(array, wide);
        return wide;
    }

    /** Copies the weight's current values in float32, as a matrix (out, in). */
    NDArray float32Matrix(NDManager owner) {
        return matrix(owner, float32(owner));
    }
}
