package io.peft4j.examples;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The notebooks' charts: one style, and for each method the same colour in all of them. */
public final class Charts {

    /** The model without an adapter. */
    public static final Color BASE = new Color(0x6b6f75);

    /** LoRA. */
    public static final Color LORA = new Color(0x1f6fd6);

    /** DoRA. */
    public static final Color DORA = new Color(0xd6561f);

    /** Full fine-tuning. */
    public static final Color FULL = new Color(0x1a8a5a);

    private static final Color GRID = new Color(0xe2e4e8);
    private static final Color TEXT = new Color(0x24272c);
    private static final int HEIGHT = 420;

    private Charts() {}

    /**
     * Creates an empty chart.
     *
     * @param title what it shows
     * @param xAxis what is to the right, with its unit
     * @param yAxis what is upwards, with its unit
     * @param width in pixels; charts are 420 high
     * @return the chart
     */
    public static XYChart chart(String title, String xAxis, String yAxis, int width) {
        XYChart chart =
                new XYChartBuilder()
                        .width(width)
                        .height(HEIGHT)
                        .title(title)
                        .xAxisTitle(xAxis)
                        .yAxisTitle(yAxis)
                        .build();
        var style = chart.getStyler();
        style.setChartBackgroundColor(Color.WHITE)
                .setChartFontColor(TEXT)
                .setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 14))
                .setLegendFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12))
                .setLegendBorderColor(Color.WHITE)
                .setLegendPosition(LegendPosition.OutsideS)
                .setLegendLayout(LegendLayout.Horizontal);
        style.setPlotGridLinesColor(GRID)
                .setErrorBarsColorSeriesColor(true)
                .setPlotBorderVisible(false);
        style.setAxisTitleFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13))
                .setAxisTickLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12))
                .setAxisTickLabelsColor(TEXT);
        return chart;
    }

    /**
     * Adds a line with a dot at each point.
     *
     * @param chart the chart
     * @param name what the legend calls it
     * @param colour the colour, of the method
     * @param x where to the right
     * @param y where upwards
     * @return the series, for what else it is to have
     */
    public static XYSeries line(
            XYChart chart, String name, Color colour, List<Double> x, List<Double> y) {
        return styled(chart.addSeries(name, x, y), XYSeriesRenderStyle.Line, colour);
    }

    /**
     * Adds a line through the means of measurements, with a bar of one standard deviation each way.
     *
     * @param chart the chart
     * @param name what the legend calls it
     * @param colour the colour, of the method
     * @param x where to the right
     * @param y the measurements at each place
     * @return the series
     */
    public static XYSeries spreads(
            XYChart chart, String name, Color colour, List<Double> x, List<Spread> y) {
        return styled(
                chart.addSeries(
                        name,
                        x,
                        y.stream().map(Spread::mean).toList(),
                        y.stream().map(Spread::deviation).toList()),
                XYSeriesRenderStyle.Line,
                colour);
    }

    /**
     * Adds dots without a line.
     *
     * @param chart the chart
     * @param name what the legend calls them
     * @param colour the colour
     * @param x where to the right
     * @param y where upwards
     * @return the series
     */
    public static XYSeries dots(
            XYChart chart, String name, Color colour, List<Double> x, List<Double> y) {
        return styled(chart.addSeries(name, x, y), XYSeriesRenderStyle.Scatter, colour);
    }

    private static XYSeries styled(XYSeries series, XYSeriesRenderStyle style, Color colour) {
        series.setXYSeriesRenderStyle(style);
        series.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(colour);
        series.setLineColor(colour);
        series.setLineWidth(2.2f);
        return series;
    }

    /**
     * Dashes the line of a series, to tell two of one colour apart.
     *
     * @param series the series
     */
    public static void dash(XYSeries series) {
        series.setLineStyle(
                new BasicStroke(
                        2.2f,
                        BasicStroke.CAP_BUTT,
                        BasicStroke.JOIN_ROUND,
                        1,
                        new float[] {6, 5},
                        0));
    }

    /**
     * Draws charts beside each other.
     *
     * @param charts one or more
     * @return the picture, which a notebook shows
     */
    public static BufferedImage draw(XYChart... charts) {
        List<BufferedImage> images = List.of(charts).stream().map(Charts::drawOne).toList();
        int width = images.stream().mapToInt(BufferedImage::getWidth).sum();
        BufferedImage all = new BufferedImage(width, HEIGHT, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = all.createGraphics();
        int x = 0;
        for (BufferedImage image : images) {
            graphics.drawImage(image, x, 0, null);
            x += image.getWidth();
        }
        graphics.dispose();
        return all;
    }

    private static BufferedImage drawOne(XYChart chart) {
        return BitmapEncoder.getBufferedImage(chart);
    }
}
