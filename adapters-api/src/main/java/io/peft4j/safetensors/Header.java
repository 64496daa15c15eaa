package io.peft4j.safetensors;

import io.peft4j.safetensors.SafetensorsException.Reason;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A header whose tensors tile the data section exactly.
 *
 * @param metadata the strings of {@code __metadata__}
 * @param tensors in the order of their bytes
 */
record Header(Map<String, String> metadata, List<TensorInfo> tensors) {

    static final int MAX_BYTES = 100_000_000;
    static final int MAX_TENSORS = 100_000;
    static final int MAX_NAME_BYTES = 512;
    static final int MAX_DIMENSIONS = 64;
    static final String METADATA = "__metadata__";

    /**
     * Orders the tensors by offset and proves that each byte of the data belongs to exactly one.
     *
     * @param dataBytes the size of the data section
     */
    static Header tiling(
            String source, Map<String, String> metadata, List<TensorInfo> tensors, long dataBytes)
            throws SafetensorsException {
        List<TensorInfo> ordered =
                tensors.stream()
                        .sorted(
                                Comparator.comparingLong(TensorInfo::begin)
                                        .thenComparingLong(TensorInfo::end))
                        .toList();
        long covered = 0;
        for (TensorInfo tensor : ordered) {
            if (tensor.begin() != covered) {
                throw new SafetensorsException(
                        tensor.begin() < covered ? Reason.OVERLAP : Reason.HOLE,
                        source,
                        "tensor \""
                                + tensor.name()
                                + "\": expected it to begin at byte "
                                + covered
                                + " where the one before it ends, found "
                                + tensor.begin());
            }
            covered = tensor.end();
        }
        if (covered != dataBytes) {
            throw new SafetensorsException(
                    covered > dataBytes ? Reason.DATA_TRUNCATED : Reason.TRAILING_BYTES,
                    source,
                    "expected " + covered + " bytes of tensor data, found " + dataBytes);
        }
        return new Header(metadata, ordered);
    }

    /** Returns the bytes of a tensor, or null if they exceed 63 bits. */
    static @Nullable Long byteCount(Dtype dtype, List<Long> shape) {
        try {
            long count = 1;
            for (long size : shape) {
                count = Math.multiplyExact(count, size);
            }
            return Math.multiplyExact(count, (long) dtype.bytes());
        } catch (ArithmeticException e) {
            return null;
        }
    }

    /** Returns why a name cannot be a tensor's, or null. */
    static @Nullable String nameProblem(String name) {
        if (name.equals(METADATA)) {
            return "the reserved name " + METADATA;
        }
        if (!isWellFormed(name)) {
            return "a name with an unpaired surrogate";
        }
        if (name.length() > MAX_NAME_BYTES
                || name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) {
            return "a name of more than "
                    + MAX_NAME_BYTES
                    + " bytes: \""
                    + name.substring(0, 60)
                    + "…\"";
        }
        return null;
    }

    /** Tells whether every surrogate is one of a pair, so that the text can be UTF-8. */
    static boolean isWellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                return false;
            }
        }
        return true;
    }
}
