package io.peft4j.cli.pipeline;

import static io.peft4j.cli.compare.HtmlPage.escape;

import io.peft4j.cli.compare.Curve;
import io.peft4j.cli.compare.CurveChart;
import io.peft4j.cli.compare.HtmlPage;
import io.peft4j.cli.compare.HtmlTable;
import io.peft4j.cli.compare.Point;
import io.peft4j.cli.compare.ShellWord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/** Writes what came of a pipeline as one page that needs no network and reads well on a phone. */
public final class PipelineReport {

    private final PipelineResults results;
    private final String title;
    private final Map<String, String> facts;

    private PipelineReport(PipelineResults results, String title, Map<String, String> facts) {
        this.results = results;
        this.title = title;
        this.facts = facts;
    }

    /**
     * Writes the page.
     *
     * @param results the results
     * @param title what to call the pipeline, such as its file
     * @param facts what else is to be known of it, text by name
     * @return HTML
     * @throws IOException if the template cannot be read
     */
    public static String page(PipelineResults results, String title, Map<String, String> facts)
            throws IOException {
        PipelineReport report = new PipelineReport(results, title, facts);
        return HtmlPage.fill(PipelineReport.class, "report.html", report::part);
    }

    private String part(String name) {
        return switch (name) {
            case "style" -> HtmlPage.style();
            case "subtitle" -> escape(title + ", " + results.stages().size() + " stages");
            case "verdict" -> verdict();
            case "stages" -> table();
            case "reward" -> reward();
            case "curves" -> curves();
            case "commands" -> commands();
            case "facts" -> facts();
            default -> throw new IllegalStateException("report.html: unknown part " + name);
        };
    }

    /** What was held out and measured before the first and after the last stage that trained. */
    private String verdict() {
        List<StageResult> rewarded =
                results.stages().stream()
                        .filter(stage -> stage.rewardBefore().isPresent())
                        .filter(stage -> stage.rewardAfter().isPresent())
                        .toList();
        if (!rewarded.isEmpty()) {
            return sentence(
                    "reward",
                    rewarded.get(0),
                    rewarded.get(0).rewardBefore(),
                    last(rewarded).rewardAfter());
        }
        List<StageResult> lost =
                results.stages().stream()
                        .filter(stage -> stage.heldOutLossBefore().isPresent())
                        .filter(stage -> stage.heldOutLossAfter().isPresent())
                        .toList();
        return lost.isEmpty()
                ? ""
                : sentence(
                        "loss",
                        lost.get(0),
                        lost.get(0).heldOutLossBefore(),
                        last(lost).heldOutLossAfter());
    }

    private static StageResult last(List<StageResult> list) {
        return list.get(list.size() - 1);
    }

    private static String sentence(
            String what, StageResult first, OptionalDouble before, OptionalDouble after) {
        return String.format(
                Locale.ROOT,
                "<section class=\"verdict\" aria-label=\"Result\">\n<p>The held-out %s went from"
                        + " <b>%.4f</b> before %s to <b>%.4f</b> after the last stage.</p>\n"
                        + "</section>\n",
                what,
                before.orElseThrow(),
                escape(first.stage().name()),
                after.orElseThrow());
    }

    private String table() {
        List<String> columns = new ArrayList<>(List.of("stage", "seconds", "training loss"));
        if (results.hasHeldOutLoss()) {
            columns.add("held-out loss");
        }
        if (results.hasReward()) {
            columns.add("held-out reward");
        }
        StringBuilder html = HtmlTable.open("Stages", columns);
        for (StageResult result : results.stages()) {
            html.append("<tr><th scope=\"row\">").append(escape(result.stage().name()));
            html.append("<small>").append(escape(result.stage().command())).append("</small></th>");
            String steps =
                    result.steps().isPresent() ? PipelineResults.steps(result) + " steps" : "";
            HtmlTable.cell(html, result.seconds(), PipelineResults.seconds(result), steps);
            cell(html, OptionalDouble.empty(), result.trainingLoss());
            if (results.hasHeldOutLoss()) {
                cell(html, result.heldOutLossBefore(), result.heldOutLossAfter());
            }
            if (results.hasReward()) {
                cell(html, result.rewardBefore(), result.rewardAfter());
            }
            html.append("</tr>\n");
        }
        return html.append(HtmlTable.CLOSE).toString();
    }

    private static void cell(StringBuilder html, OptionalDouble before, OptionalDouble after) {
        HtmlTable.cell(
                html,
                after.orElse(0),
                PipelineResults.figure(after),
                before.isPresent() ? "from " + PipelineResults.figure(before) : "");
    }

    private String reward() {
        List<Point> points = results.rewardByStep();
        return points.size() < 2
                ? ""
                : "<section>\n<h2>Held-out reward over all stages</h2>\n"
                        + figure(
                                "over-all",
                                "Held-out reward after each stage",
                                points,
                                "Steps are those of all stages so far. The scale does not begin at"
                                        + " 0.")
                        + "</section>\n";
    }

    private String curves() {
        StringBuilder html = new StringBuilder();
        int number = 0;
        for (StageResult result : results.stages()) {
            Map<String, List<Point>> curves = result.curves().byName();
            if (curves.isEmpty()) {
                continue;
            }
            html.append("<section>\n<h2>").append(escape(result.stage().name()));
            html.append("</h2>\n<div class=\"pair\">\n");
            for (Map.Entry<String, List<Point>> curve : curves.entrySet()) {
                number++;
                html.append(
                        figure(
                                "curve-" + number,
                                result.stage().name() + ": " + curve.getKey(),
                                StageCurves.drawn(curve.getKey(), curve.getValue()),
                                StageCurves.title(curve.getKey()) + "."));
            }
            html.append("</div>\n</section>\n");
        }
        return html.toString();
    }

    private static String figure(String id, String title, List<Point> points, String caption) {
        return "<figure>\n"
                + CurveChart.of(id, title, List.of(Curve.of(title, points)))
                + "<figcaption>"
                + escape(caption)
                + "</figcaption>\n</figure>\n";
    }

    private String commands() {
        StringBuilder text = new StringBuilder();
        for (StageResult result : results.stages()) {
            text.append(command(result.stage())).append('\n');
        }
        return escape(text.toString());
    }

    /**
     * Writes a stage as one would type it.
     *
     * @param stage the stage
     * @return one line
     */
    public static String command(PlannedStage stage) {
        StringBuilder line = new StringBuilder("./peft4j ").append(stage.command());
        stage.flags().forEach(word -> line.append(' ').append(ShellWord.of(word)));
        return line.toString();
    }

    private String facts() {
        StringBuilder html = new StringBuilder();
        facts.forEach(
                (name, value) -> {
                    html.append("<dt>").append(escape(name)).append("</dt><dd>");
                    html.append(escape(value)).append("</dd>\n");
                });
        return html.toString();
    }
}
