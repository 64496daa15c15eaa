package io.peft4j.tuning.reward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.models.HeadScores;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The loss of rewards, against TRL's own function. */
class RewardLossTest {

    static Stream<JsonObject> cases() throws IOException {
        JsonObject all = RewardGoldens.json("losses.json").getAsJsonObject();
        return RewardGoldens.objects(all.get("cases")).stream()
                .peek(one -> one.add("rewards", all.get("rewards")));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void lossesSlopesAndMetricsAreTrls(JsonObject golden) {
        double[] rewards = RewardGoldens.doubles(golden.get("rewards"));
        int pairs = rewards.length / 2;
        double[] margins =
                golden.get("margins").isJsonNull()
                        ? new double[pairs]
                        : RewardGoldens.doubles(golden.get("margins"));
        JsonElement coefficient = golden.get("center_rewards_coefficient");
        RewardConfig config =
                RewardConfig.builder()
                        .optCenterRewardsCoefficient(
                                coefficient.isJsonNull() ? 0 : coefficient.getAsDouble())
                        .build();
        double[] slopes = RewardGoldens.doubles(golden.get("slopes"));
        double sum = 0;
        RewardMetrics metrics = new RewardMetrics();
        for (int i = 0; i < pairs; i++) {
            RewardLoss loss = config.loss(rewards[i], rewards[pairs + i], margins[i]);
            sum += loss.value();
            assertThat(loss.byChosen() / pairs).isCloseTo(slopes[i], within(1e-9));
            assertThat(loss.byRejected() / pairs).isCloseTo(slopes[pairs + i], within(1e-9));
            metrics.add(rewards[i], rewards[pairs + i], loss.value());
        }
        assertThat(sum / pairs).isCloseTo(golden.get("loss").getAsDouble(), within(1e-9));
        assertThat(metrics.loss()).isEqualTo(sum / pairs);
        JsonObject logged = golden.getAsJsonObject("metrics");
        assertThat(metrics.values()).containsOnlyKeys(logged.keySet());
        metrics.values()
                .forEach(
                        (name, value) ->
                                assertThat(value)
                                        .as(name)
                                        .isCloseTo(logged.get(name).getAsDouble(), within(1e-6)));
        expectBatch(rewards, margins, config, slopes);
    }

    /** The same through what a model asks. */
    private static void expectBatch(
            double[] rewards, double[] margins, RewardConfig config, double[] slopes) {
        List<PreferencePair> pairs = new ArrayList<>();
        float[] values = new float[rewards.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) rewards[i];
        }
        for (double margin : margins) {
            pairs.add(new PreferencePair(Example.of(1), Example.of(2), margin));
        }
        RewardBatch batch = new RewardBatch(pairs, config, pairs.size(), new RewardMetrics());
        int[] rows = IntStream.range(0, values.length).toArray();
        float[] found = batch.slopes(new HeadScores(values.length, rows, values));
        for (int i = 0; i < found.length; i++) {
            assertThat((double) found[i]).isCloseTo(slopes[i], within(1e-6));
        }
    }

    @ParameterizedTest
    @CsvSource({"1.5,-0.5,0,0", "-3,2,0.7,0.1", "0,0,-1,0.01", "40,-40,0,0", "-40,40,0,0"})
    void slopesAreTheLossesOwn(double chosen, double rejected, double margin, double centre) {
        RewardLoss loss = RewardLoss.of(chosen, rejected, margin, centre);
        double step = 1e-5;
        assertThat(loss.byChosen())
                .isCloseTo(
                        (RewardLoss.of(chosen + step, rejected, margin, centre).value()
                                        - RewardLoss.of(chosen - step, rejected, margin, centre)
                                                .value())
                                / (2 * step),
                        within(1e-6));
        assertThat(loss.byRejected())
                .isCloseTo(
                        (RewardLoss.of(chosen, rejected + step, margin, centre).value()
                                        - RewardLoss.of(chosen, rejected - step, margin, centre)
                                                .value())
                                / (2 * step),
                        within(1e-6));
    }

    @Test
    void aLossStaysFiniteWhereverRewardsAre() {
        assertThat(RewardLoss.of(-1e6, 1e6, 0, 0).value()).isEqualTo(2e6);
        assertThat(RewardLoss.of(1e6, -1e6, 0, 0).value()).isZero();
        assertThat(RewardLoss.of(1e6, -1e6, 0, 0).byChosen()).isZero();
    }

    @Test
    void aNegativeCoefficientIsRefused() {
        RewardConfig.Builder builder = RewardConfig.builder().optCenterRewardsCoefficient(-0.1);
        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found -0.1");
    }
}
