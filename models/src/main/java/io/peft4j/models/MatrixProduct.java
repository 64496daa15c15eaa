package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What computes products with base weights in the layers' kernels. Each gives the same up to
 * rounding; which one is fast depends on the processor, so {@link #fastest} tries them.
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

    private static final Logger LOGGER = LoggerFactory.getLogger(MatrixProduct.class);
    private static final int TRIES = 5;

    /** Another product than {@link #LINEAR} must save this share of its time. */
    private static final double WORTH_IT = 0.1;

    private static final Map<MatrixProduct, TextModule> KERNELS =
            new EnumMap<>(MatrixProduct.class);
    private static final Map<ScalarType, MatrixProduct> FASTEST = new EnumMap<>(ScalarType.class);

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
                                    "engine.ts",
                                    "trial.ts"));
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
     * Finds the fastest product by a trial of some milliseconds, once in the life of the process.
     *
     * @param type the weights' type
     * @param device where they are
     * @return {@link #LINEAR}, unless another one is faster by a tenth
     */
    static MatrixProduct fastest(ScalarType type, Device device) {
        if (device.isGpu()) {
            return LINEAR;
        }
        synchronized (FASTEST) {
            return FASTEST.computeIfAbsent(type, MatrixProduct::measureAll);
        }
    }

    private static MatrixProduct measureAll(ScalarType type) {
        MatrixProduct best = LINEAR;
        double least = Double.POSITIVE_INFINITY;
        for (MatrixProduct product : List.of(ONEDNN, WIDENED)) {
            if (product.isFor(type, Device.cpu())) {
                double seconds = product.measure(type, least);
                if (seconds < least) {
                    least = seconds;
                    best = product;
                }
            }
        }
        double linear = LINEAR.measure(type, least);
        MatrixProduct chosen = least < (1 - WORTH_IT) * linear ? best : LINEAR;
        LOGGER.debug(
                "products in {}: {} in {} ms, {} in {} ms",
                type,
                best,
                1e3 * least,
                LINEAR,
                1e3 * linear);
        return chosen;
    }

    /**
     * Times both products of a small layer.
     *
     * @param limit the time of another product; one that is much slower is not tried again
     * @return the least seconds
     */
    private double measure(ScalarType type, double limit) {
        TextModule kernels = kernels();
        try (NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                TorchValue like = TorchValue.of(Tensors.empty(scope, new Shape(1), type));
                TorchValue operands = kernels.infer("trial_operands", like)) {
            double least = Double.POSITIVE_INFINITY;
            for (int i = 0; i < TRIES; i++) {
                long start = System.nanoTime();
                kernels.infer("trial", operands).close();
                least = Math.min(least, (System.nanoTime() - start) / 1e9);
                if (least > 2 * limit) {
                    break;
                }
            }
            return least;
        }
    }
}
