package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.torch.TorchRuntime;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Runs a model by its layers' kernels, and by its blocks and autograd, which are the oracle. */
final class BothWays {

    /** Of a tensor's gradient, relative to its norm. */
    private static final double GRADIENT = 1e-5;

    /** What rounding leaves of a gradient that is zero, as a single chosen expert's router has. */
    private static final double NOTHING = 2e-8;

    private BothWays() {}

    /** Compares losses and gradients of the usual batch. */
    static void assertSame(CausalLm model, AdaptedModel adapted, boolean padded) {
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            assertSame(model, adapted, ids, padded ? TinyModels.mask(scope) : null);
        }
    }

    static void assertSame(
            CausalLm model, AdaptedModel adapted, NDArray ids, @Nullable NDArray mask) {
        double[] expectedLosses = backward(model, ids, mask, false);
        Map<String, float[]> expected = TinyAdapters.takeGradients(adapted);
        double[] losses = backward(model, ids, mask, true);
        Map<String, float[]> actual = TinyAdapters.takeGradients(adapted);
        for (int i = 0; i < losses.length; i++) {
            assertThat(losses[i])
                    .isCloseTo(expectedLosses[i], within(1e-6 * Math.abs(expectedLosses[i])));
        }
        assertSame(actual, expected);
    }

    static void assertSame(Map<String, float[]> actual, Map<String, float[]> expected) {
        assertThat(actual).isNotEmpty().containsOnlyKeys(expected.keySet());
        actual.forEach((name, values) -> assertClose(name, values, expected.get(name)));
    }

    /** Runs backward, from the same random numbers each time. */
    static double[] backward(
            CausalLm model, NDArray ids, @Nullable NDArray mask, boolean byKernels) {
        model.useLayerKernels(byKernels);
        try (NDManager scope = NDManager.newBaseManager()) {
            TorchRuntime.seed(5);
            double[] losses = model.backward(ids, mask, TinyModels.labels(scope, ids, mask), 10);
            assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
            return losses;
        } finally {
            model.useLayerKernels(true);
        }
    }

    private static void assertClose(String name, float[] actual, float[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < actual.length; i++) {
            difference += Math.pow(actual[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        assertThat(Math.sqrt(difference))
                .as(name + " of norm " + Math.sqrt(norm))
                .isLessThanOrEqualTo(GRADIENT * Math.sqrt(norm) + NOTHING);
    }
}
