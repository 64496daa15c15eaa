package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TokenSamplerTest {

    private static final float[] LOGITS = {
        (float) Math.log(0.1), (float) Math.log(0.4), (float) Math.log(0.2), (float) Math.log(0.3)
    };

    private static double[] frequencies(GenerationConfig config) {
        TokenSampler sampler = sampler(config);
        double[] counts = new double[LOGITS.length];
        for (int i = 0; i < 20_000; i++) {
            counts[sampler.choose(LOGITS)] += 1 / 20_000.0;
        }
        return counts;
    }

    private static TokenSampler sampler(GenerationConfig config) {
        return new TokenSampler(config, config.seed(), new long[0]);
    }

    private static GenerationConfig.Builder warm(double temperature) {
        return GenerationConfig.builder().optTemperature(temperature);
    }

    @Test
    void tokensAreDrawnByTheirProbability() {
        assertThat(frequencies(warm(1).build()))
                .containsExactly(new double[] {0.1, 0.4, 0.2, 0.3}, within(0.015));
    }

    @Test
    void temperatureSharpensAndFlattens() {
        double total = 0.01 + 0.16 + 0.04 + 0.09;
        assertThat(frequencies(warm(0.5).build()))
                .containsExactly(
                        new double[] {0.01 / total, 0.16 / total, 0.04 / total, 0.09 / total},
                        within(0.015));
        assertThat(frequencies(warm(1e6).build()))
                .containsExactly(new double[] {0.25, 0.25, 0.25, 0.25}, within(0.015));
    }

    @Test
    void topKKeepsTheLikeliest() {
        assertThat(frequencies(warm(1).optTopK(2).build()))
                .containsExactly(new double[] {0, 4 / 7.0, 0, 3 / 7.0}, within(0.015));
        assertThat(frequencies(warm(1).optTopK(99).build())[0]).isPositive();
    }

    @Test
    void topPKeepsTheFewestThatReachIt() {
        assertThat(frequencies(warm(1).optTopP(0.65).build()))
                .containsExactly(new double[] {0, 4 / 7.0, 0, 3 / 7.0}, within(0.015));
        assertThat(frequencies(warm(1).optTopP(0.75).build()))
                .containsExactly(new double[] {0, 4 / 9.0, 2 / 9.0, 3 / 9.0}, within(0.015));
        // of the two that top-k leaves, the first has 4/7
        assertThat(frequencies(warm(1).optTopK(2).optTopP(0.5).build()))
                .containsExactly(new double[] {0, 1, 0, 0}, within(1e-9));
    }

    @Test
    void withoutTemperatureTheFirstOfTheLikeliestIsTaken() {
        TokenSampler greedy = sampler(GenerationConfig.builder().optTopK(3).build());
        assertThat(greedy.choose(new float[] {1, 3, 3, 2})).isEqualTo(1);
    }

    @Test
    void logitsThatAreNoNumbersAreRefused() {
        TokenSampler sampler = sampler(warm(1).build());
        assertThatThrownBy(() -> sampler.choose(new float[] {1, Float.NaN}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("NaN");
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> GenerationConfig.builder().optMaxNewTokens(0).build())
                .hasMessage("expected max new tokens at least 1, found 0");
        assertThatThrownBy(() -> warm(-1).build())
                .hasMessage("expected a temperature at least 0, found -1.0");
        assertThatThrownBy(() -> warm(Double.NaN).build()).hasMessageContaining("found NaN");
        assertThatThrownBy(() -> warm(1).optTopK(-1).build())
                .hasMessage("expected top-k at least 0, found -1");
        assertThatThrownBy(() -> warm(1).optTopP(0).build())
                .hasMessage("expected top-p above 0 and at most 1, found 0.0");
    }
}
