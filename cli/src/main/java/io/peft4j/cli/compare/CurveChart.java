package io.peft4j.cli.compare;

import io.peft4j.cli.compare.Curve.BandPoint;
import java.util.List;
import java.util.Locale;

/**
 * Draws losses, or other figures, by step as SVG to stand inside a page: a line for the mean over
 * the seeds and a band from the lowest to the highest. Colours come from the page's style sheet, so
 * that they follow light and dark, and so does the size of the text, which a phone shows in a
 * narrower picture.
 */
public final class CurveChart {

    /** The style sheet's; from the ninth variant on a line is dashed, then dotted. */
    static final int COLOURS = 8;

    static final int DASHES = 3;

    private static final int WIDTH = 640;
    private static final int HEIGHT = 400;
    private static final int LEAST_LEFT = 64;
    private static final int RIGHT = 20;
    private static final int TOP = 14;
    private static final int BOTTOM = 62;
    private static final int MOST_TICKS = 6;
    private static final int GAP = 8;

    /** Widths in the largest letters that the page's styles ask for, 24 of these units high. */
    private static final double DIGIT = 15.3;

    private static final double SIGN_OR_POINT = 8.7;

    private final double lastStep;
    private final double lowest;
    private final double highest;
    private final Ticks losses;
    private final int left;

    private CurveChart(List<Curve> curves) {
        List<BandPoint> points = curves.stream().flatMap(c -> c.points().stream()).toList();
        lastStep = Math.max(1, points.stream().mapToDouble(BandPoint::step).max().orElse(1));
        double low = points.stream().mapToDouble(p -> p.losses().lowest()).min().orElse(0);
        double high = points.stream().mapToDouble(p -> p.losses().highest()).max().orElse(1);
        double range = high > low ? high - low : Math.abs(low); // of a level line its height
        double margin = Math.max(1e-6, 0.05 * (range > 0 ? range : 1));
        lowest = low - margin;
        highest = high + margin;
        losses = Ticks.of(lowest, highest, MOST_TICKS);
        double widest =
                losses.values().stream().mapToDouble(v -> width(losses.text(v))).max().orElse(0);
        left = Math.max(LEAST_LEFT, (int) Math.ceil(widest) + GAP + 1);
    }

    private static double width(String number) {
        return number.chars().mapToDouble(c -> Character.isDigit(c) ? DIGIT : SIGN_OR_POINT).sum();
    }

    /** The classes of a variant's colour and dashes. */
    static String style(int index) {
        return "c" + index % COLOURS + " d" + index / COLOURS % DASHES;
    }

    /**
     * Draws.
     *
     * @param id distinguishes the picture in its page
     * @param title what it shows
     * @param curves one per variant, in the order of the legend
     * @return an {@code svg} element
     */
    public static String of(String id, String title, List<Curve> curves) {
        CurveChart chart = new CurveChart(curves);
        StringBuilder svg = new StringBuilder(open(id, title, describe(curves), WIDTH, HEIGHT));
        chart.grid(svg);
        for (int i = 0; i < curves.size(); i++) {
            chart.draw(svg, curves.get(i), style(i));
        }
        return svg.append("</svg>\n").toString();
    }

    static String open(String id, String title, String description, int width, int height) {
        return format(
                "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-title %s-desc\">%n"
                        + "<title id=\"%s-title\">%s</title>%n<desc id=\"%s-desc\">%s</desc>%n",
                width,
                height,
                id,
                id,
                id,
                HtmlPage.escape(title),
                id,
                HtmlPage.escape(description));
    }

    /** For those who do not see it: where each line begins and ends. */
    private static String describe(List<Curve> curves) {
        StringBuilder text = new StringBuilder();
        for (Curve curve : curves) {
            if (!curve.points().isEmpty()) {
                BandPoint first = curve.points().get(0);
                BandPoint last = curve.points().get(curve.points().size() - 1);
                text.append(
                        format(
                                "%s: %.4f at step %d, %.4f at step %d. ",
                                curve.label(),
                                first.losses().mean(),
                                first.step(),
                                last.losses().mean(),
                                last.step()));
            }
        }
        return text.toString().strip();
    }

    private void grid(StringBuilder svg) {
        for (double loss : losses.values()) {
            svg.append(
                    format(
                            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                                    + "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\""
                                    + " dominant-baseline=\"middle\">%s</text>%n",
                            left,
                            WIDTH - RIGHT,
                            y(loss),
                            y(loss),
                            left - GAP,
                            y(loss),
                            losses.text(loss)));
        }
        Ticks steps = Ticks.of(0, lastStep, MOST_TICKS);
        for (double step : steps.values()) {
            svg.append(
                    format(
                            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>%n",
                            x(step), HEIGHT - BOTTOM + 24, steps.text(step)));
        }
        svg.append(
                format(
                        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">optimizer step</text>%n",
                        (left + WIDTH - RIGHT) / 2, HEIGHT - 10));
    }

    private void draw(StringBuilder svg, Curve curve, String style) {
        if (curve.points().isEmpty()) {
            return;
        }
        svg.append("<g class=\"").append(style).append("\"><title>");
        svg.append(HtmlPage.escape(curve.label())).append("</title>\n");
        if (curve.hasBand()) {
            svg.append("<path class=\"band\" d=\"M");
            for (BandPoint point : curve.points()) {
                svg.append(format("%.1f,%.1f ", x(point.step()), y(point.losses().highest())));
            }
            for (int i = curve.points().size() - 1; i >= 0; i--) {
                BandPoint point = curve.points().get(i);
                svg.append(format("%.1f,%.1f ", x(point.step()), y(point.losses().lowest())));
            }
            svg.append("Z\"/>\n");
        }
        svg.append("<polyline points=\"");
        for (BandPoint point : curve.points()) {
            svg.append(format("%.1f,%.1f ", x(point.step()), y(point.losses().mean())));
        }
        svg.append("\"/>\n");
        if (curve.points().size() <= MOST_TICKS) { // few enough to be read one by one
            for (BandPoint point : curve.points()) {
                svg.append(
                        format(
                                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>%n",
                                x(point.step()), y(point.losses().mean())));
            }
        }
        svg.append("</g>\n");
    }

    private double x(double step) {
        return left + (WIDTH - left - RIGHT) * step / lastStep;
    }

    private double y(double loss) {
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (loss - lowest) / (highest - lowest);
    }

    static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format.replace("%n", "\n"), values);
    }
}
