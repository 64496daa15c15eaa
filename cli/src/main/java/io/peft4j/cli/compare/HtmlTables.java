package io.peft4j.cli.compare;

import static io.peft4j.cli.compare.HtmlReport.escape;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The tables of the report: few columns each, so that they fit on a phone. A cell's number for
 * sorting is in {@code data-value}.
 */
final class HtmlTables {

    private static final String CLOSE = "</tbody>\n</table>\n</div>\n";

    private HtmlTables() {}

    static String losses(List<VariantResult> rows, Verdict verdict) {
        boolean spread = rows.stream().anyMatch(row -> row.lossAfter().count() > 1);
        StringBuilder html =
                open(
                        "Held-out loss",
                        spread
                                ? List.of("variant", "parameters", "mean after", "range after")
                                : List.of("variant", "parameters", "before", "after"));
        for (VariantResult row : rows) {
            boolean best = verdict.best().filter(row::equals).isPresent();
            Spread after = row.lossAfter();
            html.append(best ? "<tr class=\"best\">" : "<tr>");
            html.append("<th scope=\"row\">").append(escape(row.label()));
            html.append(best ? " <span class=\"mark\">best</span>" : "").append("</th>");
            cell(html, (double) row.trainable(), ResultTable.count(row.trainable()), "");
            if (spread) {
                cell(
                        html,
                        after.mean(),
                        ResultTable.loss(after.mean()),
                        after.deviation().isPresent()
                                ? "sd " + ResultTable.loss(after.deviation().getAsDouble())
                                : "one seed");
                cell(
                        html,
                        after.highest(),
                        ResultTable.loss(after.lowest()),
                        "to " + ResultTable.loss(after.highest()));
            } else {
                cell(html, row.lossBefore(), ResultTable.loss(row.lossBefore()), "");
                cell(html, after.mean(), ResultTable.loss(after.mean()), "");
            }
            html.append("</tr>\n");
        }
        return html.append(CLOSE).toString();
    }

    static String costs(List<VariantResult> rows) {
        StringBuilder html =
                open("Time and memory", List.of("variant", "seconds", "peak MB", "merge"));
        for (VariantResult row : rows) {
            html.append("<tr><th scope=\"row\">").append(escape(row.label())).append("</th>");
            double seconds = row.spread(RunResult::trainSeconds).mean();
            cell(html, seconds, ResultTable.seconds(row), ResultTable.speed(row) + " tokens/s");
            cell(html, row.peakMemoryMb(), ResultTable.memory(row), "");
            cell(html, row.mergeDifference().orElse(0), ResultTable.merge(row), "");
            html.append("</tr>\n");
        }
        return html.append(CLOSE).toString();
    }

    static String runs(Comparison comparison) {
        StringBuilder html = open("All runs", List.of("run", "before", "after", "seconds"));
        for (ComparedRun run : comparison.runs()) {
            Optional<RunResult> result = run.result();
            html.append("<tr><th scope=\"row\">").append(escape(comparison.label(run)));
            html.append("<small>").append(escape(run.directory().toString())).append("</small>");
            html.append("</th>");
            if (result.isPresent()) {
                RunResult figures = result.get();
                cell(html, figures.lossBefore(), ResultTable.loss(figures.lossBefore()), "");
                cell(html, figures.lossAfter(), ResultTable.loss(figures.lossAfter()), "");
                cell(
                        html,
                        figures.trainSeconds(),
                        String.format(Locale.ROOT, "%,.1f", figures.trainSeconds()),
                        "");
            } else {
                html.append("<td colspan=\"3\">failed</td>");
            }
            html.append("</tr>\n");
        }
        return html.append(CLOSE).toString();
    }

    /** A wide table scrolls by itself, with the keyboard as well; the page does not. */
    private static StringBuilder open(String caption, List<String> columns) {
        StringBuilder html =
                new StringBuilder("<div class=\"scroll\" role=\"region\" tabindex=\"0\"");
        html.append(" aria-label=\"").append(escape(caption)).append("\">\n<table>\n<caption>");
        html.append(escape(caption)).append("</caption>\n<thead><tr>");
        for (String column : columns) {
            html.append("<th scope=\"col\">").append(escape(column)).append("</th>");
        }
        return html.append("</tr></thead>\n<tbody>\n");
    }

    private static void cell(StringBuilder html, double value, String text, String below) {
        html.append("<td data-value=\"").append(value).append("\">").append(escape(text));
        if (!below.isEmpty()) {
            html.append("<small>").append(escape(below)).append("</small>");
        }
        html.append("</td>");
    }
}
