package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;

/**
 * Copies that stay in native memory.
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
                    """);

    private Tensors() {}

    /**
     * Overwrites a tensor in place; views of it see the new values.
     *
     * @param source the values, of the target's shape; another type or device is converted
     * @param target the tensor to overwrite; it may be a parameter that requires a gradient
     */
    public static void copy(NDArray source, NDArray target) {
        try (GradMode off = GradMode.disabled();
                NDManager scope = source.getManager().newSubManager()) {
            KERNELS.call(scope, "copy", source, target);
        }
    }

    /**
     * Copies a tensor, without its history.
     *
     * @param owner the manager of the copy
     * @param source the tensor
     * @return the copy
     */
    public static NDArray clone(NDManager owner, NDArray source) {
        return KERNELS.call(owner, "clone", source);
    }
}
