package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import io.peft4j.files.Sha256;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.TextModule;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Tells base models apart: the SHA-256 of their parameters' names, shapes and some evenly spaced
 * elements of each, the first and the last among them. Elements are hashed as float32, so that
 * float16, bfloat16 and float32 storage of the same values agree; wider types as float64.
 *
 * <p>Training all weights, or merging into them, changes nearly every element, so that few suffice.
 * A change of some rows of a large table may go unnoticed. The running statistics of normalisation
 * layers are left out: they are no weights, and move whenever data passes in training. So is a head
 * that was added to the base.
 */
final class BaseFingerprint {

    static final int SAMPLES = 1024;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      # Types: 6 is float32, 7 float64.
                      def single(self, x: Tensor, at: Tensor) -> Tensor:
                        return torch.to(torch.take(torch.detach(x), at), 6)
                      def double(self, x: Tensor, at: Tensor) -> Tensor:
                        return torch.to(torch.take(torch.detach(x), at), 7)
                    """);

    private BaseFingerprint() {}

    /**
     * Computes the fingerprint.
     *
     * @param base the model
     * @param values gives a parameter's array
     */
    static String of(BaseModel base, Function<Parameter, NDArray> values) {
        Map<String, Parameter> parameters = new TreeMap<>();
        base.modules()
                .forEach(
                        (path, block) -> {
                            if (block instanceof AdaptableLinear linear && linear.isAddedToBase()) {
                                return;
                            }
                            for (Pair<String, Parameter> direct : block.getDirectParameters()) {
                                if (isWeight(direct.getValue())) {
                                    parameters.put(
                                            BaseModel.join(path, direct.getKey()),
                                            direct.getValue());
                                }
                            }
                        });
        MessageDigest digest = Sha256.digest();
        try (GradMode off = GradMode.disabled()) {
            parameters.forEach(
                    (name, parameter) -> {
                        NDArray array = values.apply(parameter);
                        digest.update(head(name, array.getShape().getShape()));
                        if (array.size() > 0) {
                            digest.update(sample(array));
                        }
                    });
        }
        return Sha256.hex(digest);
    }

    private static boolean isWeight(Parameter parameter) {
        return parameter.isInitialized() && !TorchNames.isStatistic(parameter);
    }

    private static ByteBuffer head(String name, long[] shape) {
        byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes =
                littleEndian(2 * Integer.BYTES + utf8.length + Long.BYTES * shape.length);
        bytes.putInt(utf8.length).put(utf8).putInt(shape.length);
        for (long size : shape) {
            bytes.putLong(size);
        }
        return bytes.flip();
    }

    private static ByteBuffer sample(NDArray array) {
        try (NDManager scope = array.getManager().newSubManager(array.getDevice())) {
            NDArray at = scope.create(places(array.size()));
            if (isWide(array.getDataType())) {
                double[] elements = KERNELS.call(scope, "double", array, at).toDoubleArray();
                ByteBuffer bytes = littleEndian(Double.BYTES * elements.length);
                bytes.asDoubleBuffer().put(elements);
                return bytes;
            }
            float[] elements = KERNELS.call(scope, "single", array, at).toFloatArray();
            ByteBuffer bytes = littleEndian(Float.BYTES * elements.length);
            bytes.asFloatBuffer().put(elements);
            return bytes;
        }
    }

    private static boolean isWide(DataType type) {
        return type == DataType.FLOAT64 || type == DataType.INT64 || type == DataType.INT32;
    }

    /** Where a tensor's elements are looked at, from the first to the last. */
    static long[] places(long size) {
        long[] places = new long[(int) Math.min(SAMPLES, size)];
        for (int i = 1; i < places.length; i++) {
            places[i] = i * (size - 1) / (places.length - 1);
        }
        return places;
    }

    private static ByteBuffer littleEndian(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
