package io.peft4j.cli.compare;

import static io.peft4j.cli.compare.HtmlPage.escape;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The tables of the report: few columns each, so that they fit on a phone. A cell's number for
 * sorting is in {@code data-value}.
 */
final class HtmlTables {

    private HtmlTables() {}

    static String losses(List<VariantResult> rows, Verdict verdict) {
        boolean spread = rows.stream().anyMatch(row -> row.lossAfter().count() > 1);
        StringBuilder html =
                HtmlTable.open(
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
            HtmlTable.cell(html, (double) row.trainable(), ResultTable.count(row.trainable()), "");
            if (spread) {
                HtmlTable.cell(
                        html,
                        after.mean(),
                        ResultTable.loss(after.mean()),
                        after.deviation().isPresent()
                                ? "sd " + ResultTable.loss(after.deviation().getAsDouble())
                                : "one seed");
                HtmlTable.cell(
                        html,
                        after.highest(),
                        ResultTable.loss(after.lowest()),
                        "to " + ResultTable.loss(after.highest()));
            } else {
                HtmlTable.cell(html, row.lossBefore(), ResultTable.loss(row.lossBefore()), "");
                HtmlTable.cell(html, after.mean(), ResultTable.loss(after.mean()), "");
            }
            html.append("</tr>\n");
        }
        return html.append(HtmlTable.CLOSE).toString();
    }

    static String costs(List<VariantResult> rows) {
        StringBuilder html =
                HtmlTable.open(
                        "Time and memory", List.of("variant", "seconds", "peak MB", "merge"));
        for (VariantResult row : rows) {
            html.append("<tr><th scope=\"row\">").append(escape(row.label())).append("</th>");
            double seconds = row.spread(RunResult::trainSeconds).mean();
            HtmlTable.cell(
                    html, seconds, ResultTable.seconds(row), ResultTable.speed(row) + " tokens/s");
            HtmlTable.cell(html, row.peakMemoryMb(), ResultTable.memory(row), "");
            HtmlTable.cell(html, row.mergeDifference().orElse(0), ResultTable.merge(row), "");
            html.append("</tr>\n");
        }
        return html.append(HtmlTable.CLOSE).toString();
    }

    static String runs(Comparison comparison) {
        StringBuilder html =
                HtmlTable.open("All runs", List.of("run", "before", "after", "seconds"));
        for (ComparedRun run : comparison.runs()) {
            Optional<RunResult> result = run.result();
            html.append("<tr><th scope=\"row\">").append(escape(comparison.label(run)));
            html.append("<small>").append(escape(run.directory().toString())).append("</small>");
            html.append("</th>");
            if (result.isPresent()) {
                RunResult figures = result.get();
                HtmlTable.cell(
                        html, figures.lossBefore(), ResultTable.loss(figures.lossBefore()), "");
                HtmlTable.cell(
                        html, figures.lossAfter(), ResultTable.loss(figures.lossAfter()), "");
                HtmlTable.cell(
                        html,
                        figures.trainSeconds(),
                        String.format(Locale.ROOT, "%,.1f", figures.trainSeconds()),
                        "");
            } else {
                html.append("<td colspan=\"3\">failed</td>");
            }
            html.append("</tr>\n");
        }
        return html.append(HtmlTable.CLOSE).toString();
    }
}
