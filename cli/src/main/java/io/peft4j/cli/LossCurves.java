package io.peft4j.cli;

import io.peft4j.cli.ComparedRun.Point;
import io.peft4j.files.AtomicFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
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

    private LossCurves() {}

    static void write(Path png, List<ComparedRun> runs) throws IOException {
        XYChart chart =
                new XYChartBuilder()
                        .width(1000)
                        .height(600)
                        .title("Loss while training")
                        .xAxisTitle("optimizer step")
                        .yAxisTitle("mean loss per token")
                        .build();
        chart.getStyler().setLegendPosition(LegendPosition.InsideNE);
        for (ComparedRun run : runs) {
            if (!run.training().isEmpty()) {
                add(chart, run.label() + " training", Smoothing.of(run.training()))
                        .setMarker(SeriesMarkers.NONE)
                        .setLineWidth(1);
            }
            if (!run.heldOut().isEmpty()) {
                add(chart, run.label() + " held-out", run.heldOut())
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

    private static XYSeries add(XYChart chart, String name, List<Point> points) {
        return chart.addSeries(
                name,
                points.stream().mapToDouble(Point::step).toArray(),
                points.stream().mapToDouble(Point::loss).toArray());
    }
}
