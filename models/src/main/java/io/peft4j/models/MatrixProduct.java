package io.peft4j.models;

import io.peft4j.torch.TextModule;
import java.util.EnumMap;
import java.util.Map;

/** What computes products with base weights in the layers' kernels. Each rounds in its own way. */
enum MatrixProduct {

    /** What {@code torch.linear} uses, such as MKL. */
    LINEAR("gemm_linear.ts"),

    /** oneDNN, for float32 on the CPU. */
    ONEDNN("gemm_onednn.ts");

    private static final Map<MatrixProduct, TextModule> KERNELS =
            new EnumMap<>(MatrixProduct.class);

    private final String text;

    MatrixProduct(String text) {
        this.text = text;
    }

    /** Returns the layers' kernels, kept for the life of the process. */
    TextModule kernels() {
        synchronized (KERNELS) {
            return KERNELS.computeIfAbsent(
                    this,
                    product ->
                            TextModule.resource(
                                    MatrixProduct.class,
                                    product.text,
                                    "norm.ts",
                                    "projection.ts",
                                    "attention.ts",
                                    "feed_forward.ts",
                                    "head.ts",
                                    "engine.ts"));
        }
    }
}
