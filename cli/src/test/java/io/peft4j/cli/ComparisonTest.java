package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.peft4j.cli.ComparedRun.Point;
import io.peft4j.tuning.PeakMemory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ComparisonTest {

    private static final Comparison COMPARISON =
            new Comparison(
                    "models/<script>alert('x')</script>",
                    "train.jsonl",
                    "eval.jsonl",
                    List.of(run("lora", 8, 2.5), run("dora", 16, 2.25)));

    @TempDir private Path directory;

    @Test
    void theJsonHoldsWhatAProgramReads() {
        JsonObject json = COMPARISON.json();
        assertThat(json.get("eval_data").getAsString()).isEqualTo("eval.jsonl");
        JsonObject run = json.getAsJsonArray("runs").get(1).getAsJsonObject();
        assertThat(run.keySet())
                .contains(
                        "method",
                        "rank",
                        "adapter",
                        "trainable",
                        "loss_before",
                        "loss_after",
                        "tokens_per_second",
                        "peak_memory_mb");
        assertThat(run.get("adapter").getAsString()).isEqualTo("out/dora-r16");
        assertThat(run.get("loss_after").getAsDouble()).isEqualTo(2.25);
    }

    @Test
    void theTableHasARowPerRun() {
        assertThat(COMPARISON.table().lines())
                .hasSize(3)
                .last()
                .asString()
                .matches("dora +16 +12,345 +3\\.0000 +2\\.2500 +1,234 +512 ~ +1\\.0e-06");
    }

    @Test
    void thePageEscapesNamesAndFetchesNothing() throws Exception {
        String page = HtmlReport.page(COMPARISON, List.of("steps: 10 & more"));
        assertThat(page)
                .contains("&lt;script&gt;alert(&#39;x&#39;)")
                .contains("steps: 10 &amp; more")
                .contains("dora r16 has the lowest held-out loss: 2.2500, from 3.0000")
                .contains("prefers-color-scheme: dark")
                .contains("name=\"viewport\"")
                .contains("<polyline class=\"heldout c1\"")
                .doesNotContain("<script")
                .doesNotContain("{{")
                .doesNotContain("http")
                .doesNotContain("url(");
    }

    @Test
    void theCurvesAreAPicture() throws Exception {
        Path png = directory.resolve("loss_curves.png");
        LossCurves.write(png, COMPARISON.runs());
        assertThat(ImageIO.read(Files.newInputStream(png)).getWidth()).isEqualTo(1000);
    }

    @Test
    void aRunWithoutPointsIsDrawnToo() throws Exception {
        ComparedRun empty = run("lora", 4, 1);
        List<ComparedRun> runs =
                List.of(
                        new ComparedRun(
                                "lora",
                                4,
                                empty.adapter(),
                                1,
                                1,
                                1,
                                1,
                                empty.peakMemory(),
                                0,
                                List.of(),
                                List.of(new Point(1, 1))));
        assertThat(SvgChart.of(runs)).doesNotContain("NaN").contains("<circle");
        LossCurves.write(directory.resolve("one.png"), runs);
    }

    @Test
    void peakMemorySeesWhatIsHeld() {
        PeakMemory peak = PeakMemory.start();
        byte[] held = new byte[64_000_000];
        java.util.Arrays.fill(held, (byte) 1);
        PeakMemory.Figure figure = peak.read();
        assertThat(figure.megabytes()).isBetween(held.length / 1e6, 1e5);
    }

    @Test
    void smoothingKeepsTheMean() {
        List<Point> points = new java.util.ArrayList<>();
        for (int i = 1; i <= 40; i++) {
            points.add(new Point(i, i % 2));
        }
        assertThat(Smoothing.of(points).get(39)).isEqualTo(new Point(40, 0.5));
        assertThat(Smoothing.of(points)).hasSize(40);
    }

    private static ComparedRun run(String method, int rank, double after) {
        return new ComparedRun(
                method,
                rank,
                Path.of("out", method + "-r" + rank),
                12345,
                3,
                after,
                1234.4,
                new PeakMemory.Figure(512, true),
                1e-6,
                List.of(new Point(1, 3), new Point(2, 2.8), new Point(3, 2.6)),
                List.of(new Point(0, 3), new Point(3, after)));
    }
}
