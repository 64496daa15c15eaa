package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import io.peft4j.tuning.ReferenceSync;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Losses and their slopes against TRL's own, and at the ends of the numbers. */
class LossTypeTest {

    static Stream<Arguments> cases() throws IOException {
        JsonObject golden = DpoGoldens.json("losses.json").getAsJsonObject();
        return golden.getAsJsonArray("cases").asList().stream()
                .map(c -> Arguments.of(c.getAsJsonObject().get("loss_type"), c, golden));
    }

    private static PairRatios ratios(JsonObject golden, double[] reference, int pair) {
        double[] policy = DpoGoldens.doubles(golden.get("logps"));
        long[] tokens = DpoGoldens.longs(golden.get("tokens"));
        int other = policy.length / 2 + pair;
        return new PairRatios(
                policy[pair] - reference[pair],
                policy[other] - reference[other],
                (int) tokens[pair],
                (int) tokens[other]);
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("cases")
    void valuesAndSlopesAreTrls(Object name, JsonObject expected, JsonObject golden) {
        DpoConfig config =
                DpoConfig.builder()
                        .optLossTypes(
                                List.of(
                                        LossType.ofTrlName(
                                                expected.get("loss_type").getAsString())))
                        .optBeta(expected.get("beta").getAsDouble())
                        .optLabelSmoothing(expected.get("label_smoothing").getAsDouble())
                        .build();
        double[] reference = DpoGoldens.doubles(expected.get("ref"));
        double[] slopes = DpoGoldens.doubles(expected.get("slopes"));
        int pairs = reference.length / 2;
        double sum = 0;
        for (int i = 0; i < pairs; i++) {
            PairLoss loss = config.loss(ratios(golden, reference, i));
            sum += loss.value();
            assertThat(loss.byChosen() / pairs).isCloseTo(slopes[i], within(1e-6));
            assertThat(loss.byRejected() / pairs).isCloseTo(slopes[pairs + i], within(1e-6));
        }
        double mean = expected.get("loss").getAsDouble();
        assertThat(sum / pairs).isCloseTo(mean, within(1e-6 * Math.max(1, mean)));
    }

    @Test
    void everyLossHasAGolden() throws IOException {
        List<String> tested =
                DpoGoldens.json("losses.json")
                        .getAsJsonObject()
                        .getAsJsonArray("cases")
                        .asList()
                        .stream()
                        .map(c -> c.getAsJsonObject().get("loss_type").getAsString())
                        .distinct()
                        .toList();
        assertThat(Stream.of(LossType.values()).map(LossType::trlName))
                .containsExactlyInAnyOrderElementsOf(tested);
    }

    @ParameterizedTest
    @EnumSource(LossType.class)
    void lossesOfFarLikelihoodsAreFinite(LossType type) {
        for (double far : new double[] {-1e5, 1e5}) {
            PairLoss loss = type.of(new PairRatios(far, -far, 10, 20), 0.5, 0.1);
            assertThat(List.of(loss.value(), loss.byChosen(), loss.byRejected()))
                    .allMatch(Double::isFinite);
        }
    }

    @Test
    void severalLossesAddUpByTheirWeights() {
        PairRatios ratios = new PairRatios(0.3, -0.4, 3, 4);
        DpoConfig config =
                DpoConfig.builder()
                        .optLossTypes(List.of(LossType.SIGMOID, LossType.IPO))
                        .optLossWeights(List.of(0.8, 0.25))
                        .build();
        double expected =
                0.8 * LossType.SIGMOID.of(ratios, 0.1, 0).value()
                        + 0.25 * LossType.IPO.of(ratios, 0.1, 0).value();
        assertThat(config.loss(ratios).value()).isCloseTo(expected, within(1e-12));
    }

    @Test
    void whatCannotBeIsRefusedWithWhatWouldBeRight() {
        assertThatThrownBy(() -> LossType.ofTrlName("dpo"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected a loss of sigmoid, robust")
                .hasMessageContaining("found \"dpo\"");
        assertRefused(DpoConfig.builder().optBeta(0), "a beta above 0");
        assertRefused(DpoConfig.builder().optLabelSmoothing(0.5), "below 0.5");
        assertRefused(
                DpoConfig.builder().optLossTypes(List.of(LossType.EXO_PAIR)), "such as 0.001");
        assertRefused(DpoConfig.builder().optLossWeights(List.of(1.0, 2.0)), "found 2");
        assertRefused(
                DpoConfig.builder()
                        .optSync(ReferenceSync.DEFAULT)
                        .optPrecomputeReferenceLogProbs(true),
                "choose one of both");
    }

    private static void assertRefused(DpoConfig.Builder builder, String message) {
        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
