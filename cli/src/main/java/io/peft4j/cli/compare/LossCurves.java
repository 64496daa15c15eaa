package io.peft4j.cli.compare;

import io.peft4j.cli.compare.Curve.BandPoint;
import java.awt.Color;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Draws losses by step as a PNG: held-out loss with dots, training loss faint, both as means over
 * the seeds; thin lines mark the lowest and the highest held-out loss.
 */
public final class LossCurves {

    private static final int FAINT = 110; // of 255

    private LossCurves() {}

    /**
     * Draws a comparison.
     *
     * @param comparison the comparison
     * @return the file's bytes
     */
    public static byte[] png(Comparison comparison) {
        XYChart chart =
                Pictures.chart(
                        "Held-out loss (dots) and smoothed training loss",
                        "optimizer step",
                        "mean loss per token");
        List<VariantResult> variants = comparison.variants();
        for (int i = 0; i < variants.size(); i++) {
            draw(chart, variants.get(i), i);
        }
        return Pictures.png(chart);
    }

    private static void draw(XYChart chart, VariantResult variant, int index) {
        String label = variant.label();
        Curve training = Curve.training(variant);
        Curve heldOut = Curve.heldOut(variant);
        if (!training.points().isEmpty()) {
            faint(line(chart, label + " training", training, Spread::mean), index);
        }
        if (heldOut.points().isEmpty()) {
            return;
        }
        if (heldOut.hasBand()) {
            faint(line(chart, label + " lowest", heldOut, Spread::lowest), index);
            faint(line(chart, label + " highest", heldOut, Spread::highest), index);
        }
        line(chart, label, heldOut, Spread::mean)
                .setMarker(SeriesMarkers.CIRCLE)
                .setMarkerColor(Pictures.colour(index))
                .setLineColor(Pictures.colour(index))
                .setLineStyle(Pictures.stroke(index, 2.5f));
    }

    private static void faint(XYSeries series, int index) {
        Color colour = Pictures.colour(index);
        series.setMarker(SeriesMarkers.NONE)
                .setLineColor(
                        new Color(colour.getRed(), colour.getGreen(), colour.getBlue(), FAINT))
                .setLineStyle(Pictures.stroke(index, 1))
                .setShowInLegend(false);
    }

    private static XYSeries line(
            XYChart chart, String name, Curve curve, ToDoubleFunction<Spread> figure) {
        List<BandPoint> points = curve.points();
        return chart.addSeries(
                name,
                points.stream().mapToDouble(BandPoint::step).toArray(),
                points.stream().mapToDouble(p -> figure.applyAsDouble(p.losses())).toArray());
    }
}
