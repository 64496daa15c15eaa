package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import java.util.List;

/**
 * A value as TorchScript has it, for {@link TextModule#infer}: a tensor, a list of tensors,
 * numbers.
 *
 * <p>It keeps its tensors alive by itself, whatever happens to the arrays that it was made of, and
 * is freed by {@link #close}. Made once, it can be passed to any number of calls.
 */
public final class TorchValue implements AutoCloseable {

    private final IValue value;

    TorchValue(IValue value) {
        this.value = value;
    }

    /**
     * Holds a tensor.
     *
     * @param tensor the tensor
     * @return a {@code Tensor}
     */
    public static TorchValue of(NDArray tensor) {
        return new TorchValue(IValue.from((PtNDArray) tensor));
    }

    /**
     * Holds a list of tensors.
     *
     * @param tensors the tensors; may be none
     * @return a {@code List[Tensor]}
     */
    public static TorchValue of(List<? extends NDArray> tensors) {
        return new TorchValue(
                IValue.listFrom(
                        tensors.stream().map(t -> (PtNDArray) t).toArray(PtNDArray[]::new)));
    }

    /**
     * Holds whole numbers.
     *
     * @param numbers the numbers; may be none
     * @return a {@code List[int]}
     */
    public static TorchValue ofLongs(long... numbers) {
        return new TorchValue(IValue.listFrom(numbers));
    }

    /**
     * Holds numbers.
     *
     * @param numbers the numbers; may be none
     * @return a {@code List[float]}
     */
    public static TorchValue ofDoubles(double... numbers) {
        return new TorchValue(IValue.listFrom(numbers));
    }

    /**
     * Holds a yes or a no.
     *
     * @param flag which
     * @return a {@code bool}
     */
    public static TorchValue of(boolean flag) {
        return new TorchValue(IValue.from(flag));
    }

    /**
     * Returns the tensor that this is.
     *
     * @param owner the manager of the array
     * @return the tensor; one that was computed by {@link TextModule#infer} can be read and
     *     computed with, but no graph for backward can keep it and nothing can be written into it
     *     outside of such calls
     */
    public NDArray tensor(NDManager owner) {
        return value.toTensor((PtNDManager) owner);
    }

    /**
     * Returns the tensors that this is a list of.
     *
     * @param owner the manager of the arrays
     * @return the tensors, as {@link #tensor} gives one
     */
    public NDList tensors(NDManager owner) {
        return new NDList(value.toTensorArray((PtNDManager) owner));
    }

    /**
     * Returns the whole numbers that this is a list of.
     *
     * @return the numbers
     */
    public long[] longs() {
        return value.toLongArray();
    }

    IValue value() {
        return value;
    }

    /** Lets go of the tensors; a second call does nothing. */
    @Override
    public void close() {
        value.close();
    }
}
