package io.peft4j.torch;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.Preconditions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Which elements dropout keeps, from a seed: the same seed gives the same mask on every machine, so
 * that backward can make a mask again instead of keeping it. It is also several times faster than
 * libtorch's own generator on the CPU.
 *
 * <p>Each element takes 16 bits of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), so the
 * probability is a multiple of 1/65536; {@link #keepRate} says which, for the scaling of what is
 * kept.
 */
public final class DropoutMask {

    private static final int VALUES = 1 << 16;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def keep(self, bits: Tensor, threshold: Tensor) -> Tensor:
                        return torch.ge(torch.view_copy(bits, dtype=2), int(threshold))
                      def drop(self, x: Tensor, keep: Tensor, scale: Tensor) -> Tensor:
                        return torch.mul(torch.mul(x, keep), float(scale))
                      def seed(self) -> Tensor:
                        return torch.randint(-9223372036854775808, 9223372036854775807, [1], dtype=4)
                    """);

    private static final ThreadLocal<ByteBuffer> BITS =
            ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(0));

    private DropoutMask() {}

    /**
     * Returns the share of elements that are kept on average.
     *
     * @param probability the wanted probability of dropping an element, in [0, 1)
     * @return nearly {@code 1 - probability}
     */
    public static double keepRate(double probability) {
        return 1 - dropped(probability) / (double) VALUES;
    }

    private static int dropped(double probability) {
        Preconditions.checkArgument(
                probability >= 0 && probability < 1,
                "expected a dropout probability from 0 to less than 1, found " + probability);
        return Math.min(VALUES - 1, (int) Math.round(probability * VALUES));
    }

    /**
     * Draws a seed from libtorch's random numbers, which {@link TorchRuntime#seed} starts anew.
     *
     * @return any number
     */
    public static long drawSeed() {
        try (TorchValue drawn = KERNELS.infer("seed");
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            return drawn.tensor(scope).toLongArray()[0];
        }
    }

    /**
     * Makes a mask.
     *
     * @param owner the manager of the mask, whose device it is on
     * @param seed decides the mask
     * @param shape the shape of what is dropped from
     * @param probability the probability of dropping an element
     * @return a BOOLEAN tensor, true where an element is kept
     */
    public static NDArray keep(NDManager owner, long seed, Shape shape, double probability) {
        int elements = Math.toIntExact(shape.size());
        ByteBuffer bits = bits(elements);
        fill(bits, seed, elements);
        try (NDManager scope = owner.newSubManager();
                NDManager host = scope.newSubManager(Device.cpu());
                GradMode off = GradMode.disabled()) {
            NDArray values = scope.create(bits, new Shape(bits.remaining()), DataType.UINT8);
            NDArray threshold = host.create((long) dropped(probability) - VALUES / 2);
            NDArray keep = KERNELS.call(scope, "keep", values, threshold).reshape(shape);
            keep.attach(owner);
            return keep;
        }
    }

    /**
     * Applies dropout in the way of training: what is kept is scaled by the reciprocal of the share
     * that is.
     *
     * @param x any floating-point array
     * @param seed decides the mask
     * @param probability the probability of dropping an element
     * @return the result, of x's manager, differentiable
     */
    public static NDArray drop(NDArray x, long seed, double probability) {
        try (NDManager scope = x.getManager().newSubManager();
                NDManager host = scope.newSubManager(Device.cpu())) {
            NDArray keep = keep(scope, seed, x.getShape(), probability);
            NDArray scale = host.create(1 / keepRate(probability));
            return KERNELS.call(x.getManager(), "drop", x, keep, scale);
        }
    }

    private static ByteBuffer bits(int elements) {
        long bytes = (2L * elements + 7) / 8 * 8;
        ByteBuffer buffer = BITS.get();
        if (buffer.capacity() < bytes) {
            buffer = ByteBuffer.allocateDirect(Math.toIntExact(bytes));
            buffer.order(ByteOrder.nativeOrder());
            BITS.set(buffer);
        }
        return buffer.clear();
    }

    private static void fill(ByteBuffer bits, long seed, int elements) {
        int words = (elements + 3) / 4;
        long state = seed;
        for (int i = 0; i < words; i++) {
            state += 0x9E3779B97F4A7C15L;
            long z = state;
            z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
            z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
            bits.putLong(8 * i, z ^ (z >>> 31));
        }
        bits.position(0).limit(2 * elements);
    }
}
