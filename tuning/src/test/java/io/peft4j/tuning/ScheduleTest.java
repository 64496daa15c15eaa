package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ScheduleTest {

    static Stream<JsonObject> cases() throws IOException {
        return GoldenJson.cases("optimizer/schedules.json").stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTransformers(JsonObject golden) {
        Schedule schedule = Schedule.of(golden.get("schedule").getAsString());
        double[] rates = GoldenJson.doubles(golden.get("rates"));
        for (int step = 0; step < rates.length; step++) {
            double rate =
                    golden.get("learning_rate").getAsDouble()
                            * schedule.factor(step, golden.get("warmup").getAsInt(), rates.length);
            assertThat(rate).as("step %d", step).isCloseTo(rates[step], within(1e-18));
        }
    }

    static Stream<JsonObject> bounded() throws IOException {
        return GoldenJson.cases("optimizer/bounded_schedules.json").stream();
    }

    @ParameterizedTest
    @MethodSource("bounded")
    void betweenBoundsItAgreesWithTorchAndTransformers(JsonObject golden) {
        double[] torch = GoldenJson.doubles(golden.get("rates"));
        int warmup = golden.get("warmup").getAsInt();
        for (int step = 0; step < torch.length; step++) {
            double rate = rate(golden, step, warmup, torch.length);
            // torch multiplies step by step, and gathers rounding
            assertThat(rate).as("step %d", step).isCloseTo(torch[step], withinPercentage(1e-10));
            if (golden.has("transformers") && step >= warmup) {
                assertThat(rate)
                        .isCloseTo(
                                GoldenJson.doubles(golden.get("transformers"))[step],
                                within(1e-18));
            }
        }
    }

    static Stream<JsonObject> coreNet() throws IOException {
        return bounded().filter(golden -> golden.has("corenet"));
    }

    @ParameterizedTest
    @MethodSource("coreNet")
    void coreNetsCosineIsOursOfOneStepMore(JsonObject golden) {
        double[] rates = GoldenJson.doubles(golden.get("corenet"));
        for (int step = 0; step < rates.length; step++) {
            assertThat(rate(golden, step, golden.get("warmup").getAsInt(), rates.length + 1))
                    .isCloseTo(rates[step], within(1e-18));
        }
    }

    private static double rate(JsonObject golden, int step, int warmup, int total) {
        return Schedule.of(golden.get("schedule").getAsString())
                .rate(
                        step,
                        warmup,
                        total,
                        golden.get("first").getAsDouble(),
                        golden.get("learning_rate").getAsDouble(),
                        golden.get("least").getAsDouble());
    }

    @Test
    void anUnknownNameIsRefusedWithTheKnownOnes() {
        assertThatThrownBy(() -> Schedule.of("polynomial"))
                .hasMessage("expected a schedule of [constant, linear, cosine], found polynomial");
    }
}
