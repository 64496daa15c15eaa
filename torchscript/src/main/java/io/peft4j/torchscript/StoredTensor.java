package io.peft4j.torchscript;

import io.peft4j.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A tensor as a pickle describes it: a view of a storage. */
final class StoredTensor {

    private static final int MAX_AXES = 64;

    /**
     * The memory that tensors are views of.
     *
     * @param key the name of its record
     * @param type such as {@code FloatStorage}
     * @param size how many elements it has
     */
    record Storage(String key, String type, long size) {}

    private final Storage storage;
    private final long offset;
    private final long[] shape;
    private final long[] strides;

    private StoredTensor(Storage storage, long offset, long[] shape, long[] strides) {
        this.storage = storage;
        this.offset = offset;
        this.shape = shape;
        this.strides = strides;
    }

    /**
     * Describes a view, or gives null if it reaches out of its storage: libtorch trusts these
     * numbers, and would read elsewhere or end the process.
     */
    static @Nullable StoredTensor within(
            Storage storage, long offset, long[] shape, long[] strides) {
        if (shape.length != strides.length || shape.length > MAX_AXES || offset < 0) {
            return null;
        }
        try {
            long size = 1;
            long last = offset;
            for (int axis = 0; axis < shape.length; axis++) {
                if (shape[axis] < 0 || strides[axis] < 0) {
                    return null;
                }
                size = Math.multiplyExact(size, shape[axis]);
                long steps = Math.max(0, shape[axis] - 1);
                last = Math.addExact(last, Math.multiplyExact(steps, strides[axis]));
            }
            boolean fits = size == 0 || last < storage.size();
            return fits ? new StoredTensor(storage, offset, shape, strides) : null;
        } catch (ArithmeticException e) {
            return null;
        }
    }

    /** The storage's key, the name of its record. */
    String storage() {
        return storage.key();
    }

    /** The first element. */
    long offset() {
        return offset;
    }

    /** The view's axes. */
    long[] shape() {
        return shape;
    }

    /** The view's steps, in elements. */
    long[] strides() {
        return strides;
    }

    /** The number of elements of the view. */
    long size() {
        long size = 1;
        for (long axis : shape) {
            size *= axis;
        }
        return size;
    }

    /** Whether elements lie in the same place, as those of an expanded tensor do. */
    boolean overlaps() {
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] > 1 && strides[axis] == 0) {
                return true;
            }
        }
        return size() > storage.size();
    }

    /** Whether it is its whole storage, row by row. */
    boolean isWhole() {
        long step = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            if (shape[axis] != 1 && strides[axis] != step) {
                return false;
            }
            step *= shape[axis];
        }
        return offset == 0 && size() == storage.size();
    }

    /** The elements' type; null unless it is a floating-point type that adapters know. */
    @Nullable ScalarType scalarType() {
        return switch (storage.type()) {
            case "FloatStorage" -> ScalarType.FLOAT32;
            case "HalfStorage" -> ScalarType.FLOAT16;
            case "BFloat16Storage" -> ScalarType.BFLOAT16;
            case "DoubleStorage" -> ScalarType.FLOAT64;
            default -> null;
        };
    }

    /** Bytes of an element, or 0 for a type that is not known. */
    static int width(String storageType) {
        return switch (storageType) {
            case "BoolStorage", "ByteStorage", "CharStorage", "QInt8Storage", "QUInt8Storage" -> 1;
            case "HalfStorage", "BFloat16Storage", "ShortStorage" -> 2;
            case "FloatStorage", "IntStorage", "QInt32Storage" -> 4;
            case "DoubleStorage", "LongStorage", "ComplexFloatStorage" -> 8;
            case "ComplexDoubleStorage" -> 16;
            default -> 0;
        };
    }
}
