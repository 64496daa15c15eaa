package io.peft4j.cli.compare;

import java.awt.BasicStroke;
import java.awt.Color;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler.LegendPosition;

/** The look of an experiment's PNG files: the report's light style. */
final class Pictures {

    private static final List<Color> PALETTE =
            List.of(
                    new Color(0x1f6fd6),
                    new Color(0xc94a14),
                    new Color(0x1a8a5a),
                    new Color(0x8a3fc0),
                    new Color(0x9a7400),
                    new Color(0xc02f66),
                    new Color(0x1f7f92),
                    new Color(0x6b6f75));

    /** As the style sheet's: whole, dashed, dotted. */
    private static final float[][] DASHES = {{1, 0}, {8, 5}, {2, 4}};

    private Pictures() {}

    static XYChart chart(String title, String x, String y) {
        XYChart chart =
                new XYChartBuilder()
                        .width(1000)
                        .height(600)
                        .title(title)
                        .xAxisTitle(x)
                        .yAxisTitle(y)
                        .build();
        chart.getStyler()
                .setLegendPosition(LegendPosition.OutsideE)
                .setChartBackgroundColor(Color.WHITE)
                .setPlotBorderVisible(false);
        chart.getStyler().setXAxisMaxLabelCount(10);
        return chart;
    }

    static Color colour(int index) {
        return PALETTE.get(index % PALETTE.size());
    }

    static BasicStroke stroke(int index, float width) {
        return new BasicStroke(
                width,
                BasicStroke.CAP_BUTT,
                BasicStroke.JOIN_ROUND,
                1,
                DASHES[index / PALETTE.size() % DASHES.length],
                0);
    }

    static byte[] png(XYChart chart) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            if (!ImageIO.write(BitmapEncoder.getBufferedImage(chart), "png", bytes)) {
                throw new IOException("this Java cannot write PNG");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }
}
