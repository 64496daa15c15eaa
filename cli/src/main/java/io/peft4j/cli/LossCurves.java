package io.peft4j.cli;

import io.peft4j.cli.ComparedRun.Point;
import io.peft4j.files.AtomicFiles;
import java.awt.Color;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws the losses of a comparison as a PNG: held-out loss with dots, training loss without. */
final class LossCurves {

    /** As the report's light style has them. */
    private static final List<Color> PALETTE =
            List.of(
                    new Color(0x1f6fd6),
                    new Color(0xd6561f),
                    new Color(0x1a8a5a),
                    new Color(0x8a3fc0),
                    new Color(0xb38600),
                    new Color(0xc02f66),
                    new Color(0x2a8fa3),
                    new Color(0x6b6f75));

    private LossCurves() {}

    static void write(Path png, List<ComparedRun> runs) throws IOException {
        XYChart chart =
                new XYChartBuilder()
                        .width(1000)
                        .height(600)
                        .title("Held-out loss (dots) and smoothed training loss")
                        .xAxisTitle("optimizer step")
                        .yAxisTitle("mean loss per token")
                        .build();
        chart.getStyler()
                .setLegendPosition(LegendPosition.InsideNE)
                .setChartBackgroundColor(Color.WHITE)
                .setPlotBorderVisible(false);
        chart.getStyler().setXAxisMaxLabelCount(10).setSeriesColors(colours(runs));
        for (ComparedRun run : runs) {
            if (!run.training().isEmpty()) {
                add(chart, run.label() + " training", Smoothing.of(run.training()))
                        .setMarker(SeriesMarkers.NONE)
                        .setLineWidth(1)
                        .setShowInLegend(false);
            }
            if (!run.heldOut().isEmpty()) {
                add(chart, run.label(), run.heldOut())
                        .setMarker(SeriesMarkers.CIRCLE)
                        .setLineWidth(2.5f);
            }
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        if (!ImageIO.write(BitmapEncoder.getBufferedImage(chart), "png", bytes)) {
            throw new IOException(png + ": this Java cannot write PNG");
        }
        AtomicFiles.writeStream(png, stream -> stream.write(bytes.toByteArray()));
    }

    /** A colour per series, the same for both series of a run. */
    private static Color[] colours(List<ComparedRun> runs) {
        List<Color> colours = new ArrayList<>();
        for (int i = 0; i < runs.size(); i++) {
            int series =
                    (runs.get(i).training().isEmpty() ? 0 : 1)
                            + (runs.get(i).heldOut().isEmpty() ? 0 : 1);
            colours.addAll(Collections.nCopies(series, PALETTE.get(i % PALETTE.size())));
        }
        return colours.toArray(new Color[0]);
    }

    private static XYSeries add(XYChart chart, String name, List<Point> points) {
        return chart.addSeries(
                name,
                points.stream().mapToDouble(Point::step).toArray(),
                points.stream().mapToDouble(Point::loss).toArray());
    }
}
