package io.peft4j.cli;

import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** Writes a comparison as one page that needs no network and reads well on a phone. */
final class HtmlReport {

    private HtmlReport() {}

    static void write(Path file, Comparison comparison, List<String> settings) throws IOException {
        AtomicFiles.writeString(file, page(comparison, settings));
    }

    static String page(Comparison comparison, List<String> settings) throws IOException {
        return resource("report.html")
                .replace("{{best}}", best(comparison))
                .replace("{{table}}", table(comparison))
                .replace("{{chart}}", SvgChart.of(comparison.runs()))
                .replace("{{legend}}", legend(comparison.runs()))
                .replace("{{facts}}", facts(comparison, settings))
                .replace("{{next}}", next(comparison));
    }

    private static String best(Comparison comparison) {
        return lowest(comparison)
                .map(
                        run ->
                                String.format(
                                        Locale.ROOT,
                                        "%s has the lowest held-out loss: %.4f, from %.4f before"
                                                + " training, with %,d trained parameters.",
                                        escape(run.label()),
                                        run.lossAfter(),
                                        run.lossBefore(),
                                        run.trainable()))
                .orElse("");
    }

    private static java.util.Optional<ComparedRun> lowest(Comparison comparison) {
        return comparison.runs().stream().min(Comparator.comparingDouble(ComparedRun::lossAfter));
    }

    private static String table(Comparison comparison) {
        StringBuilder html = new StringBuilder("<table>\n<thead>");
        row(html, "th", Comparison.COLUMNS);
        html.append("</thead>\n<tbody>");
        comparison.runs().forEach(run -> row(html, "td", Comparison.cells(run)));
        return html.append("</tbody>\n</table>").toString();
    }

    private static void row(StringBuilder html, String cell, List<String> cells) {
        html.append("<tr>");
        for (String text : cells) {
            html.append('<').append(cell).append('>').append(escape(text));
            html.append("</").append(cell).append('>');
        }
        html.append("</tr>\n");
    }

    private static String legend(List<ComparedRun> runs) {
        StringBuilder html = new StringBuilder();
        for (int i = 0; i < runs.size(); i++) {
            html.append("<span><i class=\"c")
                    .append(i % SvgChart.COLOURS)
                    .append("\"></i>")
                    .append(escape(runs.get(i).label()))
                    .append("</span>\n");
        }
        return html.toString();
    }

    private static String facts(Comparison comparison, List<String> settings) {
        StringBuilder html = new StringBuilder();
        item(html, "model: " + comparison.model());
        item(html, "training data: " + comparison.data());
        item(html, "held-out data: " + comparison.evalData());
        settings.forEach(setting -> item(html, setting));
        return html.toString();
    }

    private static void item(StringBuilder html, String text) {
        html.append("<li>").append(escape(text)).append("</li>\n");
    }

    private static String next(Comparison comparison) {
        return lowest(comparison)
                .map(
                        run ->
                                escape(
                                        "./peft4j eval --model "
                                                + comparison.model()
                                                + " --adapter "
                                                + run.adapter()
                                                + " --data "
                                                + comparison.evalData()
                                                + "\n./peft4j merge --model "
                                                + comparison.model()
                                                + " --adapter "
                                                + run.adapter()
                                                + " --output merged\n"))
                .orElse("");
    }

    static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }

    private static String resource(String name) throws IOException {
        try (InputStream in =
                Objects.requireNonNull(
                        HtmlReport.class.getResourceAsStream(name), "no resource " + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
