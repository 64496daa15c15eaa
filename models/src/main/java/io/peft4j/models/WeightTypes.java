package io.peft4j.models;

import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.UnsupportedDtypeException;

/** What libtorch calls the element types of checkpoints, and which of them models compute in. */
final class WeightTypes {

    private WeightTypes() {}

    static ScalarType of(Dtype dtype) {
        return switch (dtype) {
            case F64 -> ScalarType.FLOAT64;
            case F32 -> ScalarType.FLOAT32;
            case F16 -> ScalarType.FLOAT16;
            case BF16 -> ScalarType.BFLOAT16;
            default ->
                    throw new UnsupportedDtypeException(
                            "expected a floating-point type, found " + dtype);
        };
    }

    static Dtype requireComputable(String where, Dtype dtype) {
        return switch (dtype) {
            case F32, F16, BF16 -> dtype;
            default ->
                    throw new UnsupportedDtypeException(
                            where
                                    + ": a model computes in F32, F16 or BF16, but was asked for "
                                    + dtype);
        };
    }
}
