package io.peft4j.models;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * OpenELM's sizes per layer (arXiv:2404.14619, section 2.1), with the published code's rounding:
 *
 * <pre>
 *   multiplier[i] = round(linspace(first, last, layers)[i], 2)
 *   heads[i]      = divisible(model_dim * multiplier[i], head_dim * groups) / head_dim
 *   ffn[i]        = divisible(model_dim * multiplier[i], ffn_dim_divisor)
 * </pre>
 */
final class LayerWiseScaling {

    private LayerWiseScaling() {}

    /**
     * Computes the query heads of each layer.
     *
     * @param multipliers one for all layers, or the two ends of a range, or one per layer
     * @param groups how many query heads share a key-value head
     */
    static List<Integer> queryHeads(
            List<Double> multipliers, int layers, int modelDim, int headDim, int groups) {
        return perLayer(multipliers, layers).stream()
                .map(m -> divisible(modelDim * m, headDim * groups) / headDim)
                .toList();
    }

    static List<Integer> ffnWidths(
            List<Double> multipliers, int layers, int modelDim, int divisor) {
        return perLayer(multipliers, layers).stream()
                .map(m -> divisible(m * modelDim, divisor))
                .toList();
    }

    private static List<Double> perLayer(List<Double> multipliers, int layers) {
        if (multipliers.size() == 1) {
            return Collections.nCopies(layers, multipliers.get(0));
        }
        if (multipliers.size() != 2) {
            return multipliers;
        }
        double first = multipliers.get(0);
        double last = multipliers.get(1);
        double step = layers == 1 ? 0 : (last - first) / (layers - 1);
        List<Double> range = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            double value = i > 0 && i == layers - 1 ? last : i * step + first; // numpy's linspace
            range.add(Math.rint(value * 100) / 100); // numpy's round: halves to even
        }
        return range;
    }

    /** The nearest multiple of the divisor, but the next one if that would take off over 10 %. */
    static int divisible(double value, int divisor) {
        int rounded = Math.max(divisor, (int) (value + divisor / 2.0) / divisor * divisor);
        return rounded < 0.9 * value ? rounded + divisor : rounded;
    }
}
