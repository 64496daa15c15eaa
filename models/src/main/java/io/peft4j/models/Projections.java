package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptableLinear;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Several projections of the same input, as linear layers of their own or fused into one whose rows
 * are those of the first, then those of the second, and so on.
 */
final class Projections {

    private final Map<String, AdaptableLinear> layers = new LinkedHashMap<>();
    private final long[] widths;

    /**
     * Creates the layers.
     *
     * @param names one for a fused layer, else as many as widths
     * @param in the width of the input
     * @param bias whether they have a bias
     * @param widths the widths of the results
     */
    Projections(List<String> names, long in, boolean bias, long... widths) {
        this.widths = widths.clone();
        long[] rows = names.size() == 1 ? new long[] {sum(widths)} : this.widths;
        for (int i = 0; i < rows.length; i++) {
            layers.put(
                    names.get(i),
                    AdaptableLinear.builder().setFeatures(in, rows[i]).optBias(bias).build());
        }
    }

    private static long sum(long[] widths) {
        long sum = 0;
        for (long width : widths) {
            sum += width;
        }
        return sum;
    }

    /** Returns the layers by name, for their parent to add as children. */
    Map<String, AdaptableLinear> layers() {
        return Collections.unmodifiableMap(layers);
    }

    /** Returns the layers as one group. */
    LinearGroup group() {
        return LinearGroup.of(List.copyOf(layers.values()));
    }

    /** Returns the results (…, width), in order, of the owner. */
    NDList apply(NDManager owner, NDArray x, Weights weights) {
        List<NDArray> results = new ArrayList<>();
        for (AdaptableLinear layer : layers.values()) {
            NDArray result = weights.linear(layer, x);
            result.attach(owner);
            results.add(result);
        }
        if (results.size() == widths.length) {
            return new NDList(results);
        }
        NDArray fused = results.get(0);
        return widths.length == 2
                ? Kernels.DECODER.callList(owner, "halves", fused)
                : Kernels.DECODER.callList(
                        owner,
                        "split",
                        fused,
                        Kernels.constant(widths[0]),
                        Kernels.constant(widths[1]));
    }
}
