package io.peft4j.models;

import ai.djl.Device;
import io.peft4j.torch.Processor;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.EnumMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What computes products with base weights in the layers' kernels. Each gives the same up to
 * rounding; which one is fast depends on the processor.
 */
public enum MatrixProduct {

    /** What {@code torch.linear} and {@code torch.mm} use: MKL for float32 on most processors. */
    LINEAR("gemm_linear.ts"),

    /** oneDNN, for float32 on the CPU. */
    ONEDNN("gemm_onednn.ts"),

    /**
     * float32 of a part of the weight at a time, for a weight of low precision that the CPU has no
     * instructions for.
     */
    WIDENED("gemm_widened.ts");

    /** How many elements of a weight {@link #WIDENED} has in float32 at a time. */
    static final int WIDENED_ELEMENTS = 1 << 21; // as gemm_widened.ts has it

    private static final Logger LOGGER = LoggerFactory.getLogger(MatrixProduct.class);

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
                                    "prepared.ts",
                                    "attention.ts",
                                    "feed_forward.ts",
                                    "mixture.ts",
                                    "token_scores.ts",
                                    "head.ts",
                                    "score.ts",
                                    "activations.ts",
                                    "engine.ts"));
        }
    }

    /**
     * Tells whether this build of libtorch has a product.
     *
     * @param type the weights' type
     * @param device where they are
     */
    boolean isFor(ScalarType type, Device device) {
        boolean wide = type == ScalarType.FLOAT32;
        return switch (this) {
            case LINEAR -> true;
            case ONEDNN -> wide && !device.isGpu() && compiles();
            case WIDENED -> !wide && !device.isGpu();
        };
    }

    private boolean compiles() {
        try {
            kernels();
            return true;
        } catch (IllegalArgumentException e) {
            LOGGER.debug("libtorch has no {}", this, e);
            return false;
        }
    }

    /**
     * Chooses a product by the processor. Not by a trial of speed: a disturbed one would have the
     * same training round otherwise when it is repeated.
     *
     * @param type the weights' type
     * @param device where they are
     */
    static MatrixProduct of(ScalarType type, Device device) {
        if (device.isGpu()) {
            return LINEAR;
        }
        if (type == ScalarType.FLOAT32) {
            // MKL takes slower ways on processors that are not Intel's
            return Processor.isAmd() && ONEDNN.isFor(type, device) ? ONEDNN : LINEAR;
        }
        // without oneDNN's, libtorch's product is a plain loop, a hundred times slower
        return WIDENED.isFor(type, device) && !hasInstructionsFor(type) ? WIDENED : LINEAR;
    }

    private static boolean hasInstructionsFor(ScalarType type) {
        String question =
                switch (type) {
                    case BFLOAT16 -> "has_bfloat16";
                    case FLOAT16 -> "has_float16";
                    default -> null;
                };
        if (question == null) {
            return true;
        }
        try (TextModule processor = TextModule.resource(MatrixProduct.class, "instructions.ts");
                TorchValue answer = processor.infer(question)) {
            return answer.longs()[0] != 0;
        } catch (IllegalArgumentException e) {
            LOGGER.debug("this libtorch has no oneDNN to ask", e);
            return true;
        }
    }
}
