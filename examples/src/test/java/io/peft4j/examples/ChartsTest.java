package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.knowm.xchart.XYChart;

class ChartsTest {

    private static XYChart chart() {
        XYChart chart = Charts.chart("loss", "step", "nats", 300);
        Charts.dash(Charts.line(chart, "LoRA", Charts.LORA, List.of(0.0, 1.0), List.of(2.0, 1.0)));
        return chart;
    }

    private static long pixels(BufferedImage image, int colour, int fromX, int toX) {
        long count = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = fromX; x < toX; x++) {
                count += image.getRGB(x, y) == colour ? 1 : 0;
            }
        }
        return count;
    }

    @Test
    void aMethodHasItsColour() {
        BufferedImage image = Charts.draw(chart());
        assertThat(image.getWidth()).isEqualTo(300);
        assertThat(pixels(image, Charts.LORA.getRGB(), 0, 300)).isGreaterThan(100);
        assertThat(pixels(image, Charts.DORA.getRGB(), 0, 300)).isZero();
    }

    @Test
    void chartsStandBesideEachOther() {
        XYChart dora = Charts.chart("loss", "step", "nats", 200);
        Charts.spreads(
                dora,
                "DoRA",
                Charts.DORA,
                List.of(0.0, 1.0),
                List.of(Spread.of(List.of(2.0, 2.2)), Spread.of(List.of(1.0, 1.2))));
        BufferedImage image = Charts.draw(chart(), dora);
        assertThat(image.getWidth()).isEqualTo(500);
        assertThat(pixels(image, Charts.DORA.getRGB(), 0, 300)).isZero();
        assertThat(pixels(image, Charts.DORA.getRGB(), 300, 500)).isGreaterThan(100);
    }
}
