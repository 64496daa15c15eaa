package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

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

    @Test
    void anUnknownNameIsRefusedWithTheKnownOnes() {
        assertThatThrownBy(() -> Schedule.of("polynomial"))
                .hasMessage("expected a schedule of [constant, linear, cosine], found polynomial");
    }
}
