package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class SpreadTest {

    @Test
    void theDeviationIsThatOfOneMeasurement() {
        Spread spread = Spread.of(List.of(2.0, 4.0, 9.0));
        assertThat(spread.mean()).isEqualTo(5);
        assertThat(spread.deviation()).isCloseTo(Math.sqrt((9 + 1 + 16) / 2.0), within(1e-12));
        assertThat(spread.text(2)).isEqualTo("5.00 ± 3.61");
    }

    @Test
    void oneMeasurementHasNoDeviationAndNoneHasNoMean() {
        assertThat(Spread.of(List.of(3.0))).isEqualTo(new Spread(3, 0, 1));
        assertThatThrownBy(() -> Spread.of(List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found none");
    }
}
