package io.peft4j.cli.compare;

import java.awt.Color;
import java.util.List;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws the held-out losses after training as a PNG: a dot per seed, a diamond at their mean. */
public final class LossSpread {

    private LossSpread() {}

    /**
     * Draws a comparison.
     *
     * @param comparison the comparison
     * @return the file's bytes
     */
    public static byte[] png(Comparison comparison) {
        List<VariantResult> variants = comparison.variants();
        XYChart chart =
                Pictures.chart(
                        "Held-out loss after training, by seed (diamond: mean)",
                        "",
                        "mean loss per token");
        chart.getStyler()
                .setDefaultSeriesRenderStyle(XYSeriesRenderStyle.Scatter)
                .setXAxisMin(-0.5)
                .setXAxisMax(variants.size() - 0.5)
                .setXAxisTicksVisible(false);
        chart.getStyler().setPlotGridVerticalLinesVisible(false);
        for (int i = 0; i < variants.size(); i++) {
            List<Double> losses =
                    variants.get(i).runs().stream()
                            .map(run -> run.result().orElseThrow().lossAfter())
                            .toList();
            int at = i;
            chart.addSeries(
                            variants.get(i).label(),
                            losses.stream().mapToDouble(loss -> at).toArray(),
                            losses.stream().mapToDouble(Double::doubleValue).toArray())
                    .setMarker(SeriesMarkers.CIRCLE)
                    .setMarkerColor(Pictures.colour(i));
            if (losses.size() > 1) {
                chart.addSeries(
                                variants.get(i).label() + " mean",
                                new double[] {i},
                                new double[] {variants.get(i).lossAfter().mean()})
                        .setMarker(SeriesMarkers.DIAMOND)
                        .setMarkerColor(Color.DARK_GRAY)
                        .setShowInLegend(false);
            }
        }
        return Pictures.png(chart);
    }
}
