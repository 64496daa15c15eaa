package io.peft4j.cli;

import io.peft4j.cli.compare.ComparedRun;
import io.peft4j.cli.compare.Comparison;
import io.peft4j.cli.compare.ExperimentFolder;
import io.peft4j.cli.compare.HtmlReport;
import io.peft4j.cli.compare.LossCurves;
import io.peft4j.cli.compare.LossSpread;
import io.peft4j.cli.compare.ResultTable;
import io.peft4j.cli.compare.ResultsCsv;
import io.peft4j.cli.compare.ResultsJson;
import io.peft4j.cli.compare.RunResult;
import io.peft4j.cli.compare.Verdict;
import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalDouble;

/** The forms in which compare tells what it has found. */
record CompareReport(Comparison comparison, ExperimentFolder folder) {

    void write() throws IOException {
        text("results.json", Json.text(ResultsJson.of(comparison)) + "\n");
        text("results.csv", ResultsCsv.of(comparison));
        text("report.html", HtmlReport.page(comparison));
        picture("loss_curves.png", LossCurves.png(comparison));
        picture("held_out_loss.png", LossSpread.png(comparison));
    }

    private void text(String name, String content) throws IOException {
        AtomicFiles.writeString(folder.file(name), content);
    }

    private void picture(String name, byte[] bytes) throws IOException {
        Path file = folder.file(name);
        AtomicFiles.writeStream(file, stream -> stream.write(bytes));
    }

    void show(PrintWriter out, boolean json) {
        if (json) {
            out.println(Json.text(ResultsJson.of(comparison)));
            return;
        }
        ResultTable table = ResultTable.of(comparison);
        out.print(TextTable.of(table.columns(), table.rows()));
        Verdict.of(comparison).text().forEach(out::println);
        out.println("report: " + folder.file("report.html"));
    }

    /** Fails if a merged model is not the model with its adapter, which no rounding explains. */
    void requireMergesAgree(double tolerance) {
        for (ComparedRun run : comparison.runs()) {
            OptionalDouble difference =
                    run.result().map(RunResult::mergeDifference).orElse(OptionalDouble.empty());
            if (difference.isPresent() && !(difference.getAsDouble() <= tolerance)) {
                throw new IllegalStateException(
                        String.format(
                                Locale.ROOT,
                                "%s: merged and unmerged logits differ by %.3g, but at most %.0e is"
                                        + " expected",
                                comparison.label(run),
                                difference.getAsDouble(),
                                tolerance));
            }
        }
    }
}
