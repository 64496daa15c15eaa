package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.Test;

class DropoutMaskTest {

    private static final Shape SHAPE = new Shape(101, 99);

    private static boolean[] keep(long seed, double probability) {
        try (NDManager manager = NDManager.newBaseManager()) {
            return DropoutMask.keep(manager, seed, SHAPE, probability).toBooleanArray();
        }
    }

    @Test
    void theShareThatIsKeptIsWhatIsSaid() {
        for (double p : new double[] {0, 0.05, 0.5, 0.9}) {
            boolean[] keep = keep(3, p);
            int kept = 0;
            for (boolean one : keep) {
                kept += one ? 1 : 0;
            }
            assertThat(DropoutMask.keepRate(p)).isCloseTo(1 - p, within(1e-5));
            assertThat(kept / (double) keep.length).isCloseTo(1 - p, within(0.015));
        }
        assertThat(keep(3, 0)).doesNotContain(false);
    }

    @Test
    void aSeedDecidesAMaskAndNeighboursAreUnlike() {
        assertThat(keep(5, 0.5)).isEqualTo(keep(5, 0.5)).isNotEqualTo(keep(6, 0.5));
    }

    @Test
    void seedsFollowLibtorchs() {
        TorchRuntime.seed(9);
        long first = DropoutMask.drawSeed();
        long second = DropoutMask.drawSeed();
        TorchRuntime.seed(9);
        assertThat(DropoutMask.drawSeed()).isEqualTo(first).isNotEqualTo(second);
        assertThat(DropoutMask.drawSeed()).isEqualTo(second);
    }

    @Test
    void whatIsKeptIsScaledAndSoIsItsGradient() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray x = manager.ones(SHAPE, DataType.FLOAT32);
            x.setRequiresGradient(true);
            NDArray y = DropoutMask.drop(x, 4, 0.25);
            Gradients.backward(y.sum());
            boolean[] keep = keep(4, 0.25);
            float[] values = y.toFloatArray();
            float[] gradient = x.getGradient().toFloatArray();
            for (int i = 0; i < keep.length; i++) {
                float expected = keep[i] ? (float) (1 / DropoutMask.keepRate(0.25)) : 0;
                assertThat(values[i]).isEqualTo(expected);
                assertThat(gradient[i]).isEqualTo(expected);
            }
        }
    }

    @Test
    void aProbabilityOfOneIsRefused() {
        assertThatThrownBy(() -> DropoutMask.keepRate(1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found 1.0");
    }
}
