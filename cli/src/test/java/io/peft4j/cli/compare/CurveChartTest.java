package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

final class CurveChartTest {

    /** As wide as {@code -0.02} is in DejaVu Sans of 24 units, the letters of small pictures. */
    private static final double MINUS_TWO_HUNDREDTHS = 62.1;

    @Test
    void theSignOfANumberBelowZeroIsInsideThePicture() {
        assertThat(endOf("-0.02", -0.025, 0.043)).isGreaterThan(MINUS_TWO_HUNDREDTHS);
        assertThat(endOf("0.02", 0.001, 0.043)).isEqualTo(56);
    }

    @Test
    void theAxisOfALevelLineHasFewDigits() {
        assertThat(endOf("0.02", 0, 0)).isPositive();
        assertThat(endOf("0.98", 0.992, 0.992)).isPositive();
    }

    private static double endOf(String label, double first, double last) {
        List<Point> points = List.of(new Point(1, first), new Point(9, last));
        String svg = CurveChart.of("a", "loss", List.of(Curve.of("loss", points)));
        Matcher text =
                Pattern.compile("<text x=\"(\\d+)\"[^>]*>" + Pattern.quote(label) + "</text>")
                        .matcher(svg);
        assertThat(text.find()).as(svg).isTrue();
        return Double.parseDouble(text.group(1));
    }
}
