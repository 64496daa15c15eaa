package io.peft4j.torchscript;

import io.peft4j.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A tensor as a pickle describes it: a view of a storage. */
final class StoredTensor {

    private final String storage;
    private final String storageType;
    private final long storageSize;
    private final long offset;
    private final long[] shape;
    private final long[] strides;

    StoredTensor(
            String storage,
            String storageType,
            long storageSize,
            long offset,
            long[] shape,
            long[] strides) {
        this.storage = storage;
        this.storageType = storageType;
        this.storageSize = storageSize;
        this.offset = offset;
        this.shape = shape;
        this.strides = strides;
    }

    /** The storage's key, the name of its record. */
    String storage() {
        return storage;
    }

    /** Such as {@code FloatStorage}. */
    String storageType() {
        return storageType;
    }

    /** How many elements the storage has. */
    long storageSize() {
        return storageSize;
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

    /** Whether it is its whole storage, row by row. */
    boolean isWhole() {
        long step = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            if (shape[axis] != 1 && strides[axis] != step) {
                return false;
            }
            step *= shape[axis];
        }
        return offset == 0 && size() == storageSize;
    }

    /** The elements' type; null unless it is a floating-point type that adapters know. */
    @Nullable ScalarType scalarType() {
        return switch (storageType) {
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
