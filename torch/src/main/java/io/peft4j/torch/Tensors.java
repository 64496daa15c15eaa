package io.peft4j.torch;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;

/**
 * Tensors in libtorch's own memory.
 *
 * <p>{@code NDManager.create} from Java values leaves the numbers in a Java buffer that dies with
 * the Java object. A graph for backward that has kept the tensor does not keep the buffer: when the
 * object is closed between forward and backward and the garbage collector comes by, backward reads
 * freed memory. DJL's arithmetic with a Java number, as in {@code array.mul(2)}, makes and closes
 * such a tensor each time. So whatever a graph may keep is made here, and numbers go into {@link
 * TextModule} methods. The buffer's alignment also differs from run to run.
 *
 * <p>{@code NDArray.copyTo} and {@code duplicate} go through a Java buffer, which then takes the
 * place of the target's own memory: views of the target do not see the copy, the memory lives only
 * as long as that one Java object, and 2 GiB is the limit.
 */
public final class Tensors {

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def copy(self, source: Tensor, target: Tensor) -> Tensor:
                        return torch.copy_(target, source)
                      def clone(self, source: Tensor) -> Tensor:
                        return torch.clone(torch.detach(source))
                      def ones_like(self, x: Tensor) -> Tensor:
                        return torch.ones_like(torch.detach(x))
                      # Memory format 0 is contiguous.
                      def empty(self, like: Tensor, type: Tensor) -> Tensor:
                        return torch.empty_like(like, dtype=int(type), memory_format=0)
                      def zeros(self, like: Tensor, type: Tensor) -> Tensor:
                        return torch.zeros_like(like, dtype=int(type), memory_format=0)
                      # Type 6 is float32.
                      def float32(self, x: Tensor) -> Tensor:
                        return torch.contiguous(torch.to(x, 6))
                    """);

    private Tensors() {}

    /**
     * Creates a FLOAT32 tensor in native memory.
     *
     * @param owner the manager of the tensor
     * @param values the elements, row by row
     * @param shape the shape
     * @return the tensor
     */
    public static NDArray of(NDManager owner, float[] values, Shape shape) {
        try (NDArray inJava = owner.create(values, shape)) {
            return clone(owner, inJava);
        }
    }

    /**
     * Creates an INT64 tensor in native memory.
     *
     * @param owner the manager of the tensor
     * @param values the elements, row by row
     * @param shape the shape
     * @return the tensor
     */
    public static NDArray of(NDManager owner, long[] values, Shape shape) {
        try (NDArray inJava = owner.create(values, shape)) {
            return clone(owner, inJava);
        }
    }

    /**
     * Creates a tensor of a type, bfloat16 among them, whose elements are not set.
     *
     * @param owner the manager of the tensor, which also says on which device
     * @param shape the shape
     * @param type the type
     * @return the tensor
     */
    public static NDArray empty(NDManager owner, Shape shape, ScalarType type) {
        return make("empty", owner, shape, type);
    }

    /**
     * Creates a tensor of zeros of a type, bfloat16 among them.
     *
     * @param owner the manager of the tensor, which also says on which device
     * @param shape the shape
     * @param type the type
     * @return the tensor
     */
    public static NDArray zeros(NDManager owner, Shape shape, ScalarType type) {
        return make("zeros", owner, shape, type);
    }

    private static NDArray make(String method, NDManager owner, Shape shape, ScalarType type) {
        try (NDManager scope = owner.newSubManager();
                NDManager host = scope.newSubManager(Device.cpu())) {
            NDArray like = scope.zeros(new Shape()).broadcast(shape); // one element of memory
            return KERNELS.call(owner, method, like, host.create(type.code()));
        }
    }

    /**
     * Widens or rounds a tensor to FLOAT32, with its history: a gradient comes back in the tensor's
     * own type.
     *
     * @param owner the manager of the result
     * @param source a floating-point tensor, also {@link BFloat16}
     * @return a FLOAT32 tensor, which shares the memory of a contiguous FLOAT32 source
     */
    public static NDArray float32(NDManager owner, NDArray source) {
        return KERNELS.call(owner, "float32", source);
    }

    /**
     * Reads a tensor's elements as float32.
     *
     * @param source a floating-point tensor, also {@link BFloat16}, on any device
     * @return the elements, row by row
     */
    public static float[] toFloats(NDArray source) {
        try (NDArray wide = float32(source.getManager(), source)) {
            return wide.toFloatArray();
        }
    }

    /**
     * Overwrites a tensor in place; views of it see the new values.
     *
     * @param source the values, of the target's shape; another type or device is converted, also
     *     from and to {@link BFloat16}
     * @param target the tensor to overwrite; it may be a parameter that requires a gradient
     */
    public static void copy(NDArray source, NDArray target) {
        try (GradMode off = GradMode.disabled();
                NDManager scope = source.getManager().newSubManager()) {
            KERNELS.call(scope, "copy", source, target);
        }
    }

    /**
     * Copies a tensor of any type, without its history.
     *
     * @param owner the manager of the copy
     * @param source the tensor
     * @return the copy
     */
    public static NDArray clone(NDManager owner, NDArray source) {
        return KERNELS.call(owner, "clone", source);
    }

    /** DJL's own ends the process if the tensor is bfloat16. */
    static NDArray onesLike(NDArray array) {
        return KERNELS.call(array.getManager(), "ones_like", array);
    }
}
