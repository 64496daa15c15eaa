package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import java.io.IOException;
import java.nio.ShortBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.EnumSet;
import java.util.Set;

/**
 * Tensors that store bfloat16: the upper half of a float32, eight bits of precision.
 *
 * <p>DJL's PyTorch engine does not know the type. It calls such an array's type {@link
 * DataType#UNKNOWN}, and <b>ends the process</b> where it is given {@link DataType#BFLOAT16}, or
 * UNKNOWN, as in {@code zeros(shape, type)}, {@code create(shape, type)}, {@code toType(type,
 * copy)} or {@code block.initialize(manager, type, shapes)}, and where a bfloat16 array is asked
 * for {@code zerosLike}, {@code onesLike}, {@code toDevice} or {@code softmax}. So these arrays are
 * made, converted, read and written here; {@link Tensors#copy} and {@link Tensors#clone} take them,
 * and {@link #requireUsable} guards what takes a type from its caller. To another device an array
 * goes by {@link #zeros} with a manager of that device, and {@link Tensors#copy}.
 *
 * <p>What DJL does well on them: {@code getShape}, {@code getDevice}, {@code reshape}, {@code get},
 * {@code transpose}, {@code attach}, {@code close}, and {@code add}: of two bfloat16 arrays it
 * gives bfloat16, the exact sum rounded once; with a float32 array it gives FLOAT32.
 *
 * <p>Results are in libtorch's own memory, contiguous, and without history. Methods may be called
 * from several threads at once.
 */
public final class BFloat16 {

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      # Types: 0 is uint8, 6 float32, 15 bfloat16. Memory format: 0 is contiguous.
                      def is_bfloat16(self, x: Tensor) -> Tensor:
                        return torch.tensor(torch.eq(ops.prim.dtype(x), 15))
                      def narrow(self, x: Tensor) -> Tensor:
                        return torch.to(torch.detach(x), 15, False, True, 0)
                      def widen(self, x: Tensor) -> Tensor:
                        return torch.to(torch.detach(x), 6, False, True, 0)
                    """);

    /** What the engine can make and convert to. */
    private static final Set<DataType> USABLE =
            EnumSet.of(
                    DataType.FLOAT32,
                    DataType.FLOAT64,
                    DataType.FLOAT16,
                    DataType.UINT8,
                    DataType.INT8,
                    DataType.INT32,
                    DataType.INT64,
                    DataType.BOOLEAN,
                    DataType.COMPLEX64);

    private static final int MAX_ARRAY = Integer.MAX_VALUE - 8;

    private BFloat16() {}

    /**
     * Tells whether an array stores bfloat16.
     *
     * @param array any array
     * @return true if it does
     */
    public static boolean isBFloat16(NDArray array) {
        if (array.getDataType() != DataType.UNKNOWN) {
            return false; // the common case without a call into native code
        }
        try (NDManager scope = array.getManager().newSubManager()) {
            return KERNELS.call(scope, "is_bfloat16", array).getBoolean();
        }
    }

    /**
     * Refuses the types on which DJL's PyTorch engine would end the process. To be called on every
     * type that a user chooses, before the engine sees it.
     *
     * @param where what the type is for, such as {@code "Decoder.initialize"}
     * @param type the type
     * @return the type, if the engine has it
     * @throws UnsupportedDtypeException for BFLOAT16, UNKNOWN, STRING, INT16 and the unsigned types
     *     beyond UINT8
     */
    public static DataType requireUsable(String where, DataType type) {
        if (USABLE.contains(type)) {
            return type;
        }
        String remedy =
                switch (type) {
                    case BFLOAT16 -> "; use BFloat16.of(...) to store bfloat16";
                    case UNKNOWN ->
                            ", the type that a bfloat16 array reports; use BFloat16.of(...) to"
                                    + " store bfloat16";
                    default -> "";
                };
        throw new UnsupportedDtypeException(
                where
                        + ": expected a DataType that the PyTorch engine has, one of "
                        + USABLE.stream().map(Enum::name).toList()
                        + ", found "
                        + type.name()
                        + remedy);
    }

    /**
     * Refuses to write parameters of bfloat16 in DJL's own format, which has no name for the type:
     * what is written could not be read, and the attempt would end the process.
     *
     * @param where what writes them, such as {@code "Decoder.saveParameters"}
     * @param parameters the parameters by name; those without values do not count
     * @throws UnsupportedDtypeException if one is bfloat16
     */
    public static void requireNone(String where, PairList<String, Parameter> parameters) {
        for (Pair<String, Parameter> parameter : parameters) {
            Parameter value = parameter.getValue();
            if (value.isInitialized() && isBFloat16(value.getArray())) {
                throw new UnsupportedDtypeException(
                        where
                                + ": DJL's own format has no bfloat16, but "
                                + parameter.getKey()
                                + " is; save it as safetensors");
            }
        }
    }

    /**
     * Rounds an array to bfloat16: to the nearest value, ties to the even one, what exceeds the
     * largest finite value by half a step or more to infinity. Subnormal numbers and the sign of
     * zero stay. A NaN becomes a NaN, whose other bits are up to the processor.
     *
     * @param owner the manager of the result
     * @param source FLOAT32 or FLOAT16, or bfloat16, which is copied
     * @return a bfloat16 array of the source's shape, on its device
     * @throws UnsupportedDtypeException if the source has another type
     */
    public static NDArray of(NDManager owner, NDArray source) {
        requireFloat("BFloat16.of", source);
        return KERNELS.call(owner, "narrow", source);
    }

    /**
     * Creates an array of zeros.
     *
     * @param owner the manager of the array, which also says on which device
     * @param shape the shape
     * @return a bfloat16 array
     */
    public static NDArray zeros(NDManager owner, Shape shape) {
        return Tensors.zeros(owner, shape, ScalarType.BFLOAT16);
    }

    /**
     * Creates an array from raw bits, which are kept as they are.
     *
     * @param owner the manager of the array, which also says on which device
     * @param bits 16 bits per element, row by row
     * @param shape the shape
     * @return a bfloat16 array
     * @throws IllegalArgumentException if the shape has another number of elements
     */
    public static NDArray ofBits(NDManager owner, short[] bits, Shape shape) {
        if (shape.size() != bits.length) {
            throw new IllegalArgumentException(
                    "BFloat16.ofBits: expected "
                            + shape.size()
                            + " elements for the shape "
                            + shape
                            + ", found "
                            + bits.length);
        }
        try {
            return read(
                    owner,
                    shape,
                    (firstByte, bytes) -> {
                        ShortBuffer shorts = bytes.asShortBuffer();
                        shorts.put(bits, (int) (firstByte / Short.BYTES), shorts.remaining());
                        bytes.position(bytes.limit());
                    });
        } catch (IOException e) {
            throw new AssertionError("an array cannot fail to be read", e);
        }
    }

    /**
     * Creates an array of any size from raw little-endian bytes, as a safetensors file holds them,
     * a few megabytes at a time.
     *
     * @param owner the manager of the array, which also says on which device
     * @param shape the shape
     * @param source gives the bytes, in order; not called for an empty shape
     * @return a bfloat16 array
     * @throws IOException if the source throws it, or does not fill its buffer
     */
    public static NDArray read(NDManager owner, Shape shape, ElementTransfer.BytesSource source)
            throws IOException {
        NDArray array = zeros(owner, shape);
        try (ElementTransfer transfer = new ElementTransfer(owner)) {
            transfer.fill(array, ScalarType.BFLOAT16, source);
            return array;
        } catch (IOException | RuntimeException e) {
            array.close();
            throw e;
        }
    }

    /**
     * Returns the raw bits of an array.
     *
     * @param array a bfloat16 array, on any device
     * @return 16 bits per element, row by row
     * @throws UnsupportedDtypeException if the array is not bfloat16
     * @throws IllegalArgumentException if the array is too large for one Java array
     */
    public static short[] bits(NDArray array) {
        requireBFloat16("BFloat16.bits", array);
        if (array.size() > MAX_ARRAY) {
            throw new IllegalArgumentException(
                    "BFloat16.bits: expected at most "
                            + MAX_ARRAY
                            + " elements, found "
                            + array.size()
                            + "; use BFloat16.write(...)");
        }
        ShortBuffer bits = ShortBuffer.allocate((int) array.size());
        try (ElementTransfer transfer = new ElementTransfer(array.getManager())) {
            transfer.forEach(array, ScalarType.BFLOAT16, bytes -> bits.put(bytes.asShortBuffer()));
        } catch (IOException e) {
            throw new AssertionError("an array cannot fail to be written", e);
        }
        return bits.array();
    }

    /**
     * Writes the raw bits of an array of any size, little-endian, row by row, as a safetensors file
     * holds them, a few megabytes at a time.
     *
     * @param array a bfloat16 array, on any device
     * @param channel takes the bytes
     * @throws UnsupportedDtypeException if the array is not bfloat16
     * @throws IOException if the channel throws it
     */
    public static void write(NDArray array, WritableByteChannel channel) throws IOException {
        requireBFloat16("BFloat16.write", array);
        try (ElementTransfer transfer = new ElementTransfer(array.getManager())) {
            transfer.write(array, ScalarType.BFLOAT16, channel);
        }
    }

    /**
     * Widens an array to float32, which is exact.
     *
     * @param owner the manager of the result
     * @param array bfloat16 or FLOAT16, or FLOAT32, which is copied
     * @return a FLOAT32 array of the same shape, on the same device
     * @throws UnsupportedDtypeException if the array has another type
     */
    public static NDArray toFloat32(NDManager owner, NDArray array) {
        requireFloat("BFloat16.toFloat32", array);
        return KERNELS.call(owner, "widen", array);
    }

    private static void requireFloat(String where, NDArray array) {
        DataType type = array.getDataType();
        if (type != DataType.FLOAT32 && type != DataType.FLOAT16 && !isBFloat16(array)) {
            throw new UnsupportedDtypeException(
                    where
                            + ": expected FLOAT32, FLOAT16 or bfloat16, found "
                            + type.name()
                            + " "
                            + array.getShape()
                            + "; convert it to FLOAT32 first");
        }
    }

    private static void requireBFloat16(String where, NDArray array) {
        if (!isBFloat16(array)) {
            throw new UnsupportedDtypeException(
                    where
                            + ": expected bfloat16, found "
                            + array.getDataType().name()
                            + " "
                            + array.getShape()
                            + "; use BFloat16.of(...) first");
        }
    }
}
