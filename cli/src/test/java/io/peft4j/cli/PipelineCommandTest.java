package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.cli.compare.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code pipeline}: stages done, passed over, gone on with and done again. */
final class PipelineCommandTest {

    @TempDir private Path directory;
    private PipelineSample sample;

    @BeforeEach
    void sample() {
        sample = new PipelineSample(directory);
    }

    private static JsonArray stages(CommandRun run) {
        assertThat(run.code()).as(run.err()).isZero();
        return run.json().getAsJsonArray("stages");
    }

    private static double number(JsonArray stages, int index, String key) {
        return stages.get(index).getAsJsonObject().get(key).getAsDouble();
    }

    @Test
    void doesItsStagesAndReportsOnAllOfThem() throws IOException {
        Path file = sample.write();
        JsonArray stages = stages(PipelineSample.run(file, "--json"));
        assertThat(stages).hasSize(2);
        assertThat(number(stages, 0, "steps")).isEqualTo(6);
        assertThat(number(stages, 1, "steps")).isEqualTo(5);
        // what one stage ends with the next begins with
        double between = number(stages, 0, "held_out_loss_after");
        assertThat(between)
                .isLessThan(number(stages, 0, "held_out_loss_before"))
                .isEqualTo(number(stages, 1, "held_out_loss_before"));
        CommandRun evaluated =
                CommandRun.of(
                        "eval",
                        "--model",
                        GoldenRows.MODEL,
                        "--adapter",
                        sample.output().resolve("dpo"),
                        "--data",
                        directory.resolve("rows.jsonl"),
                        "--batch-size",
                        2,
                        "--json");
        assertThat(number(stages, 1, "held_out_loss_after"))
                .isEqualTo(evaluated.json().get("loss").getAsDouble());
        assertThat(Files.readString(sample.output().resolve("report.html")))
                .contains("The held-out loss went from")
                .contains("sft: loss", "dpo: rewards/accuracies", "./peft4j dpo --model");
        JsonObject written =
                JsonParser.parseString(Files.readString(sample.output().resolve("results.json")))
                        .getAsJsonObject();
        assertThat(written.getAsJsonArray("stages")).isEqualTo(stages);
    }

    @Test
    void theTableHasARowPerStage() throws IOException {
        CommandRun run = PipelineSample.run(sample.write());
        assertThat(run.out())
                .matches(
                        "(?s)stage +command +steps +seconds +training loss +held-out loss\n"
                                + "sft +train +6 +[0-9.]+ +[0-9.]+ +[0-9.]+ → [0-9.]+\n"
                                + "dpo +dpo +5 +[0-9.]+ +[0-9.]+ +[0-9.]+ → [0-9.]+\n"
                                + "report: .*report.html\n");
        assertThat(run.err()).contains("pipeline: 2/5 sft\n", "pipeline: 4/5 dpo\n");
    }

    @Test
    void theStagesAreWhatTheirCommandsDoAlone() throws IOException {
        stages(PipelineSample.run(sample.write(), "--json"));
        CommandRun plan =
                PipelineSample.run(
                        sample.write(), "--dry-run", "--json", "--output", directory.resolve("b"));
        for (var stage : JsonParser.parseString(plan.out()).getAsJsonArray()) {
            Object[] words =
                    stage.getAsJsonObject().getAsJsonArray("command").asList().stream()
                            .map(word -> word.getAsString())
                            .toArray();
            assertThat(CommandRun.of(words).code()).isZero();
        }
        assertThat(Files.readAllBytes(directory.resolve("b/dpo/adapter_model.safetensors")))
                .isEqualTo(sample.adapter("dpo"));
    }

    @Test
    void whatIsFinishedIsPassedOver() throws IOException {
        JsonArray first = stages(PipelineSample.run(sample.write(), "--json"));
        CommandRun again = PipelineSample.run(sample.write(), "--json");
        assertThat(stages(again)).isEqualTo(first);
        assertThat(again.err().lines())
                .hasSize(5)
                .allMatch(line -> line.endsWith(": finished before"));
    }

    @Test
    void aChangedSettingHasItsStageAndThoseThatUseItDoneAgain() throws IOException {
        stages(PipelineSample.run(sample.write(), "--json"));
        byte[] sft = sample.adapter("sft");
        byte[] dpo = sample.adapter("dpo");
        CommandRun later = PipelineSample.run(sample.write(), "--json", "--set", "dpo.beta=0.5");
        assertThat(stages(later)).hasSize(2);
        assertThat(later.err())
                .contains("sft: finished before")
                .contains("dpo: again, as --beta was not given, is 0.5");
        assertThat(sample.adapter("sft")).isEqualTo(sft);
        assertThat(sample.adapter("dpo")).isNotEqualTo(dpo);
        CommandRun earlier =
                PipelineSample.run(sample.write(), "--json", "--set", "sft.max-steps=5");
        assertThat(stages(earlier)).hasSize(2);
        assertThat(earlier.err())
                .contains("sft: again, as --max-steps was 6, is 5")
                .contains("dpo: again, as --adapter (SHA-256) was ");
        stages(PipelineSample.run(sample.write(), "--json"));
        assertThat(sample.adapter("dpo")).isEqualTo(dpo);
    }

    @Test
    void changedDataAndChangedOutputHaveAStageDoneAgain() throws IOException {
        stages(PipelineSample.run(sample.write(), "--json"));
        byte[] dpo = sample.adapter("dpo");
        Files.delete(sample.output().resolve("dpo/adapter_model.safetensors"));
        CommandRun lost = PipelineSample.run(sample.write(), "--json");
        assertThat(stages(lost)).hasSize(2);
        assertThat(lost.err())
                .contains("sft: finished before")
                .contains("dpo is not what it was when it was finished");
        assertThat(sample.adapter("dpo")).isEqualTo(dpo);
        Path rows = directory.resolve("rows.jsonl");
        Files.writeString(rows, Files.readString(rows).lines().findFirst().orElseThrow() + "\n");
        CommandRun other = PipelineSample.run(sample.write(), "--json");
        assertThat(stages(other)).hasSize(2);
        assertThat(other.err())
                .contains("sft: again, as --data (SHA-256) was ")
                .contains("dpo: again, as --adapter (SHA-256) was ");
    }

    /** Interrupts in the midst of a stage, which leaves a checkpoint and exit code 130. */
    @ParameterizedTest
    @ValueSource(strings = {"sft", "dpo"})
    void aStageThatWasInterruptedIsGoneOnWithToTheSameBytes(String stage) throws Exception {
        Path file = sample.write("    max-steps: 60");
        stages(PipelineSample.run(file, "--json", "--output", directory.resolve("whole")));
        Thread worker = Thread.currentThread();
        Path metrics = sample.output().resolve(stage + "/metrics.jsonl");
        Thread interrupter =
                new Thread(
                        () -> {
                            awaitLines(metrics, 3);
                            worker.interrupt();
                        });
        interrupter.start();
        CommandRun stopped = PipelineSample.run(file, "--json");
        Thread.interrupted(); // as main does not go on, the interrupt stays
        interrupter.join();
        assertThat(stopped.code()).as(stopped.err()).isEqualTo(130);
        assertThat(stopped.out()).isEmpty();
        assertThat(stopped.err())
                .contains(" " + stage + " was not finished; the same command goes on with it");
        assertThat(sample.output().resolve(stage + "/adapter_model.safetensors")).doesNotExist();
        CommandRun rest = PipelineSample.run(file, "--json");
        assertThat(stages(rest)).hasSize(2);
        assertThat(rest.err()).contains(" " + stage + ": goes on\n", "goes on after step");
        assertSameAsWhole();
    }

    @Test
    void aProcessThatIsKilledIsGoneOnWithToTheSameBytes() throws Exception {
        Path file = sample.write("    max-steps: 60");
        stages(PipelineSample.run(file, "--json", "--output", directory.resolve("whole")));
        Process child =
                new ProcessBuilder(
                                ChildJvm.command(
                                        Peft4j.class.getName(),
                                        List.of("pipeline", file.toString())))
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start();
        awaitLines(sample.output().resolve("dpo/metrics.jsonl"), 5);
        child.destroyForcibly();
        assertThat(child.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(sample.output().resolve("dpo/adapter_model.safetensors")).doesNotExist();
        CommandRun rest = PipelineSample.run(file, "--json");
        assertThat(stages(rest)).hasSize(2);
        assertThat(rest.err())
                .contains(" sft: finished before")
                .contains(" dpo: goes on\n", "dpo: goes on after step");
        assertSameAsWhole();
    }

    private void assertSameAsWhole() throws IOException {
        for (String stage : List.of("sft", "dpo")) {
            Path whole = directory.resolve("whole").resolve(stage);
            assertThat(sample.adapter(stage))
                    .isEqualTo(Files.readAllBytes(whole.resolve("adapter_model.safetensors")));
            assertThat(Files.readString(sample.output().resolve(stage + "/metrics.jsonl")).lines())
                    .hasSameSizeAs(Files.readAllLines(whole.resolve("metrics.jsonl")));
        }
    }

    private static void awaitLines(Path file, int count) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (System.nanoTime() < end) {
            try {
                if (Files.exists(file) && Files.readAllLines(file).size() >= count) {
                    return;
                }
                Thread.sleep(1);
            } catch (IOException e) {
                // it is being replaced
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    @Test
    void aStageThatFailsEndsThePipelineWithItsMessageAndCode() throws IOException {
        Path file = sample.write();
        CommandRun failed = PipelineSample.run(file, "--set", "dpo.beta=0");
        assertThat(failed.code()).isEqualTo(2);
        assertThat(failed.err())
                .contains("peft4j: expected a beta above 0, found 0.0")
                .endsWith("dpo was not finished; the same command goes on with it\n");
        CommandRun rest = PipelineSample.run(file);
        assertThat(rest.code()).as(rest.err()).isZero();
        assertThat(rest.err()).contains("sft: finished before");
    }

    @Test
    void aDirectoryOfOthersIsLeftAlone() throws IOException {
        Path others = Files.createDirectories(sample.output().resolve("sft")).resolve("thesis.tex");
        Files.writeString(others, "mine");
        CommandRun run = PipelineSample.run(sample.write());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("sft is there already, and ", "knows nothing of it");
        assertThat(others).hasContent("mine");
    }
}
