package io.peft4j.tuning.online.ppo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Rewards, advantages, losses and slopes against a transcription of the formulas in PyTorch. */
class PpoFormulasTest {

    private static final double CLOSE = 1e-10;

    static Stream<Arguments> cases() throws IOException {
        return PpoGoldens.list("cases.json").stream()
                .map(golden -> Arguments.of(golden.get("name").getAsString(), golden));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void rewardsAdvantagesAndReturnsAreTheFormulas(String name, JsonObject golden) {
        PpoExperience experience =
                new PpoExperience(PpoGoldens.answers(golden), PpoGoldens.config(golden).build());
        for (int row = 0; row < PpoGoldens.rows(golden.get("logps")).size(); row++) {
            assertRow(experience.rewards(row), golden, "rewards", row);
            assertRow(experience.advantages(row), golden, "advantages", row);
            assertRow(experience.returns(row), golden, "returns", row);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void lossAndSlopesAreTheFormulas(String name, JsonObject golden) {
        PpoConfig config = PpoGoldens.config(golden).build();
        PpoExperience experience = new PpoExperience(PpoGoldens.answers(golden), config);
        List<double[]> logps = PpoGoldens.rows(golden.get("new_logps"));
        List<double[]> values = PpoGoldens.rows(golden.get("new_values"));
        PpoLoss loss = new PpoLoss(config, logps.stream().mapToLong(row -> row.length).sum());
        for (int row = 0; row < logps.size(); row++) {
            double[] byLogp = new double[logps.get(row).length];
            double[] byValue = new double[byLogp.length];
            for (int t = 0; t < byLogp.length; t++) {
                byLogp[t] = loss.policy(experience, row, t, logps.get(row)[t], 0);
                byValue[t] = loss.value(experience, row, t, values.get(row)[t]);
            }
            assertRow(byLogp, golden, "by_logp", row);
            assertRow(byValue, golden, "by_value", row);
        }
        assertThat(loss.total()).isCloseTo(PpoGoldens.number(golden, "loss"), within(CLOSE));
        Map<String, Double> metrics = new HashMap<>(experience.metrics());
        metrics.putAll(PpoMetrics.of(List.of(loss), config.klInLoss()));
        JsonObject expected = golden.getAsJsonObject("metrics");
        assertThat(metrics.keySet()).containsAll(expected.keySet());
        expected.keySet()
                .forEach(
                        key ->
                                assertThat(metrics.get(key))
                                        .as(key)
                                        .isCloseTo(
                                                PpoGoldens.number(expected, key), within(CLOSE)));
    }

    private static void assertRow(double[] actual, JsonObject golden, String key, int row) {
        assertThat(actual)
                .as("%s of row %d", key, row)
                .usingComparatorWithPrecision(CLOSE)
                .containsExactly(PpoGoldens.rows(golden.get(key)).get(row));
    }

    @Test
    void casesReachBothSidesOfEveryClip() throws IOException {
        JsonObject far = PpoGoldens.of("k1_far", "cases.json").getAsJsonObject("metrics");
        for (String clip : List.of("policy/clipfrac_avg", "val/clipfrac_avg")) {
            assertThat(PpoGoldens.number(far, clip)).as(clip).isStrictlyBetween(0.0, 1.0);
        }
    }

    @Test
    void theSlopeOfTheValueLossIsItsOwn() {
        double h = 1e-6;
        for (double at = -1.037; at < 1; at += 0.17) {
            for (double wanted : new double[] {-1.3, 0.4}) {
                double up = ClippedValue.of(at + h, 0.1, wanted, 0.2).loss();
                double down = ClippedValue.of(at - h, 0.1, wanted, 0.2).loss();
                assertThat(ClippedValue.of(at, 0.1, wanted, 0.2).slope())
                        .isCloseTo((up - down) / (2 * h), within(1e-6));
            }
        }
    }

    @Test
    void lambdaOneIsTheReturnMinusTheValue() {
        double[] rewards = {0.5, -1, 2};
        double[] values = {0.3, 0.2, 0.1};
        double[] advantages = new Gae(1, 1).advantages(rewards, values);
        assertThat(advantages[0]).isCloseTo(1.5 - 0.3, within(1e-12));
        assertThat(advantages[2]).isCloseTo(2 - 0.1, within(1e-12));
    }

    @Test
    void aSingleTokenHasNoAdvantage() {
        ScoredAnswer one =
                new ScoredAnswer(3, true, new double[] {-1}, new double[] {-1}, new double[] {0.5});
        PpoExperience experience = new PpoExperience(List.of(one), PpoConfig.builder().build());
        assertThat(experience.advantages(0)).containsExactly(0);
        assertThat(experience.returns(0)).containsExactly(3);
    }

    @Test
    void settingsThatCannotWorkAreRefused() {
        assertThatThrownBy(() -> PpoConfig.builder().optKlInLoss(true).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("k3");
        assertThatThrownBy(() -> PpoConfig.builder().optGamma(1.5).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("gamma");
        assertThatThrownBy(() -> PpoConfig.builder().optClipRange(0).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cliprange");
        assertThatThrownBy(() -> KlEstimator.ofTrlName("k2"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("k1 or k3");
    }
}
