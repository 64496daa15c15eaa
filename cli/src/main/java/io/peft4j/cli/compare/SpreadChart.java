package io.peft4j.cli.compare;

import static io.peft4j.cli.compare.CurveChart.format;

import java.util.List;

/**
 * Draws the held-out losses after training as SVG: a row per variant, a dot per seed, a bar at
 * their mean. Names stand above their rows, so that long ones fit on a phone.
 */
final class SpreadChart {

    private static final int WIDTH = 640;
    private static final int SIDE = 30;
    private static final int ROW = 64;
    private static final int NAME = 22;
    private static final int DOTS = 42;
    private static final int BOTTOM = 66;
    private static final int MOST_TICKS = 5;

    private final List<VariantResult> rows;
    private final double lowest;
    private final double highest;

    private SpreadChart(List<VariantResult> rows) {
        this.rows = rows;
        double low = rows.stream().mapToDouble(r -> r.lossAfter().lowest()).min().orElse(0);
        double high = rows.stream().mapToDouble(r -> r.lossAfter().highest()).max().orElse(1);
        double margin = Math.max(1e-4, 0.08 * (high - low));
        lowest = low - margin;
        highest = high + margin;
    }

    static String of(String id, String title, List<VariantResult> rows) {
        return new SpreadChart(rows).draw(id, title);
    }

    private String draw(String id, String title) {
        int bottom = rows.size() * ROW;
        StringBuilder svg =
                new StringBuilder(CurveChart.open(id, title, describe(), WIDTH, bottom + BOTTOM));
        Ticks ticks = Ticks.of(lowest, highest, MOST_TICKS);
        for (double tick : ticks.values()) {
            svg.append(
                    format(
                            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\"/>"
                                    + "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>%n",
                            x(tick), x(tick), bottom, x(tick), bottom + 26, ticks.text(tick)));
        }
        svg.append(
                format(
                        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">held-out loss after"
                                + " training</text>%n",
                        WIDTH / 2, bottom + 54));
        for (int i = 0; i < rows.size(); i++) {
            row(svg, rows.get(i), i);
        }
        return svg.append("</svg>\n").toString();
    }

    private void row(StringBuilder svg, VariantResult row, int index) {
        int top = index * ROW;
        Spread after = row.lossAfter();
        svg.append(
                format(
                        "<text class=\"name\" x=\"4\" y=\"%d\">%s</text>%n",
                        top + NAME, HtmlPage.escape(row.label())));
        svg.append(
                format(
                        "<line class=\"grid\" x1=\"4\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>%n",
                        WIDTH - 4, top + DOTS, top + DOTS));
        svg.append("<g class=\"").append(CurveChart.style(index)).append("\">");
        svg.append(
                format(
                        "<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>%n",
                        x(after.lowest()), x(after.highest()), top + DOTS, top + DOTS));
        for (ComparedRun run : row.runs()) {
            double loss = run.result().orElseThrow().lossAfter();
            svg.append(
                    format(
                            "<circle cx=\"%.1f\" cy=\"%d\" r=\"5.5\"><title>seed %d: %.4f</title>"
                                    + "</circle>%n",
                            x(loss), top + DOTS, run.spec().seed(), loss));
        }
        if (after.count() > 1) {
            svg.append(
                    format(
                            "<line class=\"mean\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>%n",
                            x(after.mean()), x(after.mean()), top + DOTS - 12, top + DOTS + 12));
        }
        svg.append("</g>\n");
    }

    private String describe() {
        StringBuilder text = new StringBuilder();
        for (VariantResult row : rows) {
            Spread after = row.lossAfter();
            text.append(
                    after.count() == 1
                            ? format("%s: %.4f. ", row.label(), after.mean())
                            : format(
                                    "%s: mean %.4f, from %.4f to %.4f. ",
                                    row.label(), after.mean(), after.lowest(), after.highest()));
        }
        return text.toString().strip();
    }

    private double x(double loss) {
        return SIDE + (WIDTH - 2 * SIDE) * (loss - lowest) / (highest - lowest);
    }
}
