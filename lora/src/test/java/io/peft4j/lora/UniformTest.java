package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UniformTest {

    /** Adapters that were begun with a seed in an earlier version begin alike. */
    @ParameterizedTest
    @ValueSource(longs = {0, 42, -7, 1234567890123L})
    void numbersAreThoseOfJavasGenerator(long seed) {
        float[] found = new float[150_000]; // more than two ranges
        Uniform.fill(found, 0.3, seed);
        SplittableRandom random = new SplittableRandom(seed);
        float[] expected = new float[found.length];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = (float) random.nextDouble(-0.3, 0.3);
        }
        assertThat(Arrays.equals(found, expected)).isTrue();
    }
}
