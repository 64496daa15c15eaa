package io.peft4j.cli.compare;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Writes a comparison as one page that needs no network and reads well on a phone. */
public final class HtmlReport {

    private final Comparison comparison;
    private final List<VariantResult> variants;
    private final Verdict verdict;

    private HtmlReport(Comparison comparison) {
        this.comparison = comparison;
        variants = comparison.variants();
        verdict = Verdict.of(comparison);
    }

    /**
     * Writes the page.
     *
     * @param comparison the comparison
     * @return HTML
     * @throws IOException if the template cannot be read
     */
    public static String page(Comparison comparison) throws IOException {
        HtmlReport report = new HtmlReport(comparison);
        return HtmlPage.fill(HtmlReport.class, "report.html", report::part);
    }

    private String part(String name) {
        return switch (name) {
            case "style" -> HtmlPage.style();
            case "subtitle" -> HtmlPage.escape(comparison.model() + ", " + runCount());
            case "verdict" -> paragraphs(verdict.text());
            case "failures" -> failures();
            case "losses" -> HtmlTables.losses(variants, verdict);
            case "costs" -> HtmlTables.costs(variants);
            case "runs" -> HtmlTables.runs(comparison);
            case "spread" ->
                    SpreadChart.of("spread", "Held-out loss after training, by seed", variants);
            case "heldout" -> curves("heldout", "Held-out loss by step", Curve::heldOut);
            case "training" ->
                    curves("training", "Training loss by step, smoothed", Curve::training);
            case "legend" -> legend();
            case "next" -> next();
            case "facts" -> facts();
            default -> throw new IllegalStateException("report.html: unknown part " + name);
        };
    }

    private String runCount() {
        int count = comparison.runs().size();
        return count + (count == 1 ? " run" : " runs");
    }

    private String curves(String id, String title, Function<VariantResult, Curve> curve) {
        return CurveChart.of(id, title, variants.stream().map(curve).toList());
    }

    private static String paragraphs(List<String> sentences) {
        StringBuilder html = new StringBuilder();
        for (String sentence : sentences) {
            html.append("<p>").append(HtmlPage.escape(sentence)).append("</p>\n");
        }
        return html.toString();
    }

    private String failures() {
        List<ComparedRun> failed = comparison.failed();
        if (failed.isEmpty()) {
            return "";
        }
        StringBuilder html = new StringBuilder("<section class=\"failed\">\n<h2>");
        html.append(failed.size()).append(" of ").append(runCount()).append(" failed</h2>\n<ul>\n");
        for (ComparedRun run : failed) {
            html.append("<li>")
                    .append(HtmlPage.escape(comparison.label(run) + ": " + run.failure()));
            html.append("</li>\n");
        }
        return html.append("</ul>\n</section>\n").toString();
    }

    private String legend() {
        StringBuilder html = new StringBuilder();
        for (int i = 0; i < variants.size(); i++) {
            html.append("<li><svg class=\"key ")
                    .append(CurveChart.style(i))
                    .append("\" viewBox=\"0 0 32 10\" aria-hidden=\"true\">")
                    .append("<polyline points=\"0,5 32,5\"/></svg>")
                    .append(HtmlPage.escape(variants.get(i).label()))
                    .append("</li>\n");
        }
        return html.toString();
    }

    private String next() {
        return verdict.lowest().map(row -> HtmlPage.escape(commands(row))).orElse("");
    }

    /** How to look closer at the variant of the lowest mean, by its first run. */
    private String commands(VariantResult row) {
        String saved = ShellWord.of(row.runs().get(0).directory().toString());
        String eval = "./peft4j eval --data " + ShellWord.of(comparison.evalData()) + " --model ";
        if (row.variant().method().equals(Grid.FULL)) {
            return eval + saved + "\n";
        }
        String both = ShellWord.of(comparison.model()) + " --adapter " + saved;
        return eval + both + "\n./peft4j merge --model " + both + " --output merged\n";
    }

    private String facts() {
        StringBuilder html = new StringBuilder();
        for (Map.Entry<String, String> fact : comparison.facts().entrySet()) {
            html.append("<dt>").append(HtmlPage.escape(fact.getKey())).append("</dt><dd>");
            html.append(HtmlPage.escape(fact.getValue())).append("</dd>\n");
        }
        return html.toString();
    }
}
