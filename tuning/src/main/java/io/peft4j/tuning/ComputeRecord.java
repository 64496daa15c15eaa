package io.peft4j.tuning;

import io.peft4j.models.MatrixProduct;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * How a run computes, which a resumed run does as well: it is part of the checkpoint, and no
 * setting that must agree.
 */
final class ComputeRecord {

    private static final String CHECKPOINTING = "gradient_checkpointing";
    private static final String PRODUCT = "matrix_product";

    private ComputeRecord() {}

    static Map<String, String> of(LanguageModel model) {
        Map<String, String> record = new LinkedHashMap<>();
        record.put(CHECKPOINTING, model.checkpointsGradients() ? "on" : "off");
        model.matrixProduct().ifPresent(product -> record.put(PRODUCT, product.name()));
        return record;
    }

    /** Tells whether layers were computed again; empty in checkpoints of earlier releases. */
    static Optional<Boolean> checkpointing(Map<String, String> record) {
        return Optional.ofNullable(record.get(CHECKPOINTING)).map("on"::equals);
    }

    /**
     * Has a model multiply as the run did whose checkpoint it is. Where that cannot be, as on
     * another kind of device, the training goes on and is told to round otherwise: the numbers are
     * as good.
     */
    static void restoreProduct(
            Map<String, String> record, LanguageModel model, TrainingObserver observer) {
        String wanted = record.get(PRODUCT);
        Optional<MatrixProduct> present = model.matrixProduct();
        if (wanted == null || present.isEmpty() || present.get().name().equals(wanted)) {
            return;
        }
        try {
            model.useMatrixProduct(MatrixProduct.valueOf(wanted));
        } catch (IllegalArgumentException e) {
            observer.onWarning(
                    "the checkpoint's run multiplied with base weights by "
                            + wanted
                            + ", which cannot be had here: "
                            + present.get()
                            + " does it from now on, and the result will differ in rounding from an"
                            + " uninterrupted run");
        }
    }
}
