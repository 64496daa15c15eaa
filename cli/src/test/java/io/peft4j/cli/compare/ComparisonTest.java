package io.peft4j.cli.compare;

import static io.peft4j.cli.compare.Samples.comparison;
import static io.peft4j.cli.compare.Samples.runs;
import static io.peft4j.cli.compare.Samples.variant;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.tuning.PeakMemory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

final class ComparisonTest {

    @Test
    void aRowHoldsMeanDeviationAndRangeOverItsSeeds() {
        VariantResult row = comparison(runs(variant("lora", 8), 1.5, 1.7, 1.9)).variants().get(0);
        Spread after = row.lossAfter();
        assertThat(after.count()).isEqualTo(3);
        assertThat(after.mean()).isCloseTo(1.7, within(1e-12));
        assertThat(after.deviation().getAsDouble()).isCloseTo(0.2, within(1e-12));
        assertThat(after.lowest()).isEqualTo(1.5);
        assertThat(after.highest()).isEqualTo(1.9);
    }

    private static org.assertj.core.data.Offset<Double> within(double distance) {
        return org.assertj.core.data.Offset.offset(distance);
    }

    @Test
    void oneSeedHasNoDeviation() {
        assertThat(Spread.of(List.of(2.0)).deviation()).isEmpty();
    }

    @Test
    void aRowIsTheBestIfAllItsSeedsAreBelowAllOthers() {
        Verdict verdict = Verdict.of(Samples.seeds());
        assertThat(verdict.best().map(VariantResult::label)).contains("dora r16");
        assertThat(verdict.text().get(0))
                .startsWith("dora r16 has the lowest mean held-out loss: 1.5341 over 3 seeds")
                .contains("standard deviation 0.0056, from 1.5291 to 1.5402")
                .contains("from 4.3985 before training");
    }

    @Test
    void noRowIsTheBestIfRangesOverlap() {
        Verdict verdict =
                Verdict.of(
                        comparison(
                                runs(variant("lora", 8), 1.60, 1.62, 1.64),
                                runs(variant("dora", 8), 1.59, 1.61, 1.60),
                                runs(variant("lora", 2), 1.9, 1.91, 1.92)));
        assertThat(verdict.best()).isEmpty();
        assertThat(verdict.text().get(1))
                .contains("range of dora r8 over the seeds overlaps with that of lora r8.");
    }

    @Test
    void noRowIsTheBestOfFewerThanThreeSeeds() {
        Verdict verdict =
                Verdict.of(
                        comparison(
                                runs(variant("lora", 8), 1.60, 1.62),
                                runs(variant("dora", 8), 1.1, 1.2)));
        assertThat(verdict.best()).isEmpty();
        assertThat(verdict.lowest().map(VariantResult::label)).contains("dora r8");
        assertThat(verdict.text().get(1)).contains("fewer than three seeds");
    }

    @Test
    void theTableOfOneSeedIsTheOneOfReadme() {
        ResultTable table =
                ResultTable.of(
                        comparison(runs(variant("lora", 8), 1.5), runs(variant("dora", 8), 1.4)));
        assertThat(table.columns())
                .containsExactly(
                        "method",
                        "rank",
                        "trainable",
                        "loss before",
                        "loss after",
                        "seconds",
                        "tokens/s",
                        "peak MB",
                        "merged vs not");
        assertThat(table.rows().get(1))
                .containsExactly(
                        "dora", "8", "12,345", "4.3985", "1.4000", "25.3", "1,234", "512 ~",
                        "1.0e-06");
    }

    @Test
    void theTableOfSeveralSeedsNamesEachNumberAndMarksTheBest() {
        ResultTable table = ResultTable.of(Samples.seeds());
        assertThat(table.columns())
                .containsSubsequence("seeds", "mean loss after", "std dev", "lowest", "highest");
        assertThat(table.rows()).hasSize(4);
        assertThat(table.rows().get(3)).endsWith("best");
        assertThat(table.rows().get(0)).endsWith("");
        assertThat(table.rows().toString()).doesNotContain("±");
    }

    @Test
    void theJsonHoldsRunsAndVariants() {
        JsonObject json = ResultsJson.of(Samples.seeds());
        JsonArray runs = json.getAsJsonArray("runs");
        assertThat(runs).hasSize(12);
        assertThat(runs.get(0).getAsJsonObject().keySet())
                .containsExactlyElementsOf(RunRecord.NAMES);
        JsonObject variant = json.getAsJsonArray("variants").get(3).getAsJsonObject();
        assertThat(variant.get("label").getAsString()).isEqualTo("dora r16");
        assertThat(variant.getAsJsonObject("loss_after").get("seeds").getAsInt()).isEqualTo(3);
        assertThat(variant.getAsJsonObject("loss_after").get("lowest").getAsDouble())
                .isEqualTo(1.5291);
        assertThat(json.get("best").getAsString()).isEqualTo("dora r16");
    }

    @Test
    void theCsvHasARowPerRunWithTheSameNames() {
        Variant odd = new Variant("lora", OptionalInt.of(8), 0.001, Optional.of("re:(a,b)\"c\""));
        List<ComparedRun> failed =
                List.of(
                        ComparedRun.failed(
                                new RunSpec(odd, 7), Path.of("out/x"), "loss is infinite"));
        List<String> lines =
                ResultsCsv.of(comparison(runs(variant("full", 0), 1.25), failed)).lines().toList();
        assertThat(lines.get(0)).isEqualTo(String.join(",", RunRecord.NAMES));
        assertThat(lines.get(1))
                .startsWith("full,,0.005,,1,")
                .contains(",12345,4.3985,1.25,60,25.25,1234.4,512.0,true,,1,2,");
        assertThat(lines.get(2))
                .startsWith("lora,8,0.001,\"re:(a,b)\"\"c\"\"\",7,out/x,,")
                .endsWith(",loss is infinite");
    }

    @Test
    void aFailedRunCountsForNoMeanAndIsTold() {
        List<ComparedRun> failed =
                List.of(
                        ComparedRun.failed(
                                new RunSpec(variant("lora", 8), 9), Path.of("x"), "diverged"));
        Comparison comparison = comparison(runs(variant("lora", 8), 1.5, 1.7), failed);
        VariantResult row = comparison.variants().get(0);
        assertThat(row.lossAfter().count()).isEqualTo(2);
        assertThat(row.failed()).isEqualTo(1);
        assertThat(comparison.failed()).hasSize(1);
    }

    @Test
    void smoothingKeepsTheMean() {
        List<Point> points = new ArrayList<>();
        for (int i = 1; i <= 40; i++) {
            points.add(new Point(i, i % 2));
        }
        assertThat(Smoothing.of(points).get(39)).isEqualTo(new Point(40, 0.5));
        assertThat(Smoothing.of(points)).hasSize(40);
    }

    @Test
    void peakMemorySeesWhatIsHeld() {
        PeakMemory peak = PeakMemory.start();
        byte[] held = new byte[64_000_000];
        java.util.Arrays.fill(held, (byte) 1);
        PeakMemory.Figure figure = peak.read();
        assertThat(figure.megabytes()).isBetween(held.length / 1e6, 1e5);
    }
}
