package io.peft4j.cli;

import io.peft4j.cli.ComparedRun.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Draws the losses of a comparison as SVG to stand inside a page: colours come from the page's
 * style sheet (classes {@code c0}, {@code c1}, …), so that it follows light and dark.
 */
final class SvgChart {

    static final int COLOURS = 8;

    private static final int WIDTH = 640;
    private static final int HEIGHT = 360;
    private static final int LEFT = 52;
    private static final int RIGHT = 12;
    private static final int TOP = 12;
    private static final int BOTTOM = 40;
    private static final int TICKS = 5;

    private final double lastStep;
    private final double lowest;
    private final double highest;

    private SvgChart(List<Point> points) {
        lastStep = Math.max(1, points.stream().mapToDouble(Point::step).max().orElse(1));
        double low = points.stream().mapToDouble(Point::loss).min().orElse(0);
        double high = points.stream().mapToDouble(Point::loss).max().orElse(1);
        double margin = Math.max(1e-6, 0.05 * (high - low));
        lowest = low - margin;
        highest = high + margin;
    }

    static String of(List<ComparedRun> runs) {
        List<Point> all = new ArrayList<>();
        for (ComparedRun run : runs) {
            all.addAll(Smoothing.of(run.training()));
            all.addAll(run.heldOut());
        }
        SvgChart chart = new SvgChart(all);
        StringBuilder svg = new StringBuilder();
        svg.append(
                format(
                        "<svg viewBox=\"0 0 %d %d\" role=\"img\""
                                + " aria-label=\"Loss by optimizer step\">%n",
                        WIDTH, HEIGHT));
        chart.grid(svg);
        for (int i = 0; i < runs.size(); i++) {
            int colour = i % COLOURS;
            chart.line(svg, Smoothing.of(runs.get(i).training()), "training c" + colour);
            chart.line(svg, runs.get(i).heldOut(), "heldout c" + colour);
            for (Point point : runs.get(i).heldOut()) {
                svg.append(
                        format(
                                "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>%n",
                                colour, chart.x(point.step()), chart.y(point.loss())));
            }
        }
        return svg.append("</svg>\n").toString();
    }

    private void grid(StringBuilder svg) {
        for (int i = 0; i <= TICKS; i++) {
            double loss = lowest + (highest - lowest) * i / TICKS;
            svg.append(
                    format(
                            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                                    + "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.2f</text>%n",
                            LEFT, WIDTH - RIGHT, y(loss), y(loss), LEFT - 6, y(loss) + 4, loss));
            double step = lastStep * i / TICKS;
            svg.append(
                    format(
                            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>%n",
                            x(step), HEIGHT - BOTTOM + 18, step));
        }
        svg.append(
                format(
                        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">optimizer step</text>%n",
                        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4));
    }

    private void line(StringBuilder svg, List<Point> points, String style) {
        if (points.isEmpty()) {
            return;
        }
        svg.append("<polyline class=\"").append(style).append("\" points=\"");
        for (Point point : points) {
            svg.append(format("%.1f,%.1f ", x(point.step()), y(point.loss())));
        }
        svg.append("\"/>\n");
    }

    private double x(double step) {
        return LEFT + (WIDTH - LEFT - RIGHT) * step / lastStep;
    }

    private double y(double loss) {
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (loss - lowest) / (highest - lowest);
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format.replace("%n", "\n"), values);
    }
}
