package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.cli.compare.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Grids, resumed comparisons and runs side by side, on a model of two tiny layers. */
final class CompareExperimentTest {

    private static final Path MODEL = GoldenRows.MODEL;

    @TempDir private Path directory;
    private Path data;
    private Path output;

    @BeforeEach
    void write() throws IOException {
        data = GoldenRows.write(directory.resolve("rows.jsonl"));
        output = directory.resolve("out");
    }

    @Test
    void aGridOfSeedsAndTargetsHasARunForEachCombinationAndARowPerVariant() throws Exception {
        JsonObject results =
                compare(
                                "--methods lora --ranks 2 --seeds 1,2,42 --max-steps 2 --json"
                                        + " --target-modules qkv_proj"
                                        + " --target-modules qkv_proj,out_proj")
                        .json();
        JsonArray runs = results.getAsJsonArray("runs");
        assertThat(runs).hasSize(6);
        assertThat(runs.get(0).getAsJsonObject().get("adapter").getAsString())
                .endsWith("lora-r2-qkv_proj-s1");
        assertThat(output.resolve("lora-r2-qkv_proj+out_proj/adapter_model.safetensors"))
                .isNotEmptyFile();
        JsonArray variants = results.getAsJsonArray("variants");
        assertThat(variants).hasSize(2);
        JsonObject both = variants.get(1).getAsJsonObject();
        assertThat(both.get("label").getAsString()).isEqualTo("lora r2 qkv_proj,out_proj");
        assertThat(both.getAsJsonObject("loss_after").get("standard_deviation").getAsDouble())
                .isPositive();
        for (String file : List.of("results.csv", "report.html", "held_out_loss.png")) {
            assertThat(output.resolve(file)).isNotEmptyFile();
        }
        assertThat(output.resolve("lora-r2-qkv_proj/checkpoints")).doesNotExist();
    }

    @Test
    void fullFineTuningIsARunWithoutRankWhoseModelEvalFindsTheSame() throws Exception {
        JsonObject results =
                compare(
                                "--methods lora,full --ranks 2 --max-steps 3 --learning-rate 0.01"
                                        + " --json")
                        .json();
        JsonObject full = results.getAsJsonArray("runs").get(1).getAsJsonObject();
        assertThat(full.get("rank").isJsonNull()).isTrue();
        assertThat(full.get("merge_max_difference").isJsonNull()).isTrue();
        String saved = full.get("adapter").getAsString();
        CommandRun evaluated = CommandRun.of("eval", "--model", saved, "--data", data, "--json");
        assertThat(evaluated.json().get("loss").getAsDouble())
                .isEqualTo(full.get("loss_after").getAsDouble())
                .isLessThan(full.get("loss_before").getAsDouble());
        double before = full.get("loss_before").getAsDouble();
        JsonObject lora = results.getAsJsonArray("runs").get(0).getAsJsonObject();
        assertThat(lora.get("loss_before").getAsDouble()).isEqualTo(before);
    }

    @Test
    void aResumedComparisonKeepsWhatIsDoneAndAddsWhatIsNew() throws Exception {
        compare("--methods lora --ranks 2 --seeds 1 --max-steps 2");
        Path adapter = output.resolve("lora-r2-s1/adapter_model.safetensors");
        FileTime written = Files.getLastModifiedTime(adapter);
        CommandRun more =
                compare("--methods lora --ranks 2 --seeds 1,2 --max-steps 2 --json --resume");
        assertThat(more.err()).contains("1 of 2 runs were done before");
        assertThat(more.json().getAsJsonArray("runs")).hasSize(2);
        assertThat(Files.getLastModifiedTime(adapter)).isEqualTo(written);
        CommandRun less = compare("--methods lora --ranks 2 --seeds 2 --max-steps 2 --resume");
        assertThat(less.err()).contains("left out, as no run of this grid: lora-r2-s1");
    }

    @Test
    void aComparisonIsNeitherOverwrittenUnaskedNorResumedWithOtherSettings() throws Exception {
        String flags = "--methods lora --ranks 2 --max-steps 2";
        compare(flags);
        assertRefused(flags, "already holds a comparison; --resume goes on");
        assertRefused(
                flags + " --resume --batch-size 1", "lora-r2: ", "batch_size was 8, now it is 1");
        assertRefused(flags + " --resume --alpha 3", "adapter.lora_alpha was 4, now it is 3");
        Files.writeString(data, Files.readString(data) + "{\"input_ids\": [1, 5, 9]}\n");
        assertRefused(flags + " --resume", "data_sha256 was ");
        compare(flags + " --overwrite");
    }

    @Test
    void contradictingFlagsAreRefusedBeforeAnythingIsTrained() throws Exception {
        assertRefused("--seeds 1,2 --seed 3", "--seeds cannot be given with --seed");
        assertRefused("--seeds 1,1", "--seeds must name each value once");
        assertRefused("--learning-rates 1,-1", "--learning-rates must be a number from 0 up");
        assertRefused("--methods full --alpha 3", "--alpha cannot be given");
        assertRefused("--methods lora,full --dtype bfloat16", "--dtype bfloat16 cannot be given");
        assertRefused("--resume --overwrite", "--resume cannot be given with --overwrite");
        assertRefused("--parallel 0", "--parallel must be at least 1");
        assertRefused("--target-modules no_such_module", "no_such_module");
        CommandRun train =
                CommandRun.of(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        data,
                        "--output",
                        output,
                        "--target-modules",
                        "qkv_proj",
                        "--target-modules",
                        "out_proj");
        assertThat(train.code()).isEqualTo(2);
        assertThat(train.err()).contains("--target-modules can be given once here");
    }

    @Test
    void runsSideBySideGiveTheBitsOfRunsInTurnAndOneThatFailsLeavesTheOthersAlone()
            throws Exception {
        String flags =
                "--methods lora --ranks 2 --learning-rates 1e30,0.01 --max-steps 4 --dropout 0.1"
                        + " --json --parallel ";
        JsonObject inTurn = survivor(CommandRun.of(args(flags + 1)));
        Path first = output;
        output = directory.resolve("side-by-side");
        CommandRun run = CommandRun.of(args(flags + 2));
        assertThat(run.err()).contains("2 runs, 2 side by side (as --parallel says)");
        JsonObject sideBySide = survivor(run);
        assertThat(sideBySide.get("side_by_side").getAsInt()).isEqualTo(2);
        assertThat(sideBySide.get("loss_after")).isEqualTo(inTurn.get("loss_after"));
        assertThat(weights(output, "lora-r2-lr0.01")).isEqualTo(weights(first, "lora-r2-lr0.01"));
    }

    private JsonObject survivor(CommandRun run) {
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("peft4j: lora r2 lr 1e+30: ").contains("finite");
        JsonArray runs = run.json().getAsJsonArray("runs");
        assertThat(runs.get(0).getAsJsonObject().get("failure").getAsString()).contains("finite");
        assertThat(output.resolve("report.html")).content().contains("1 of 2 runs failed");
        JsonObject other = runs.get(1).getAsJsonObject();
        assertThat(other.get("failure").isJsonNull()).isTrue();
        assertThat(other.get("loss_after").getAsDouble())
                .isLessThan(other.get("loss_before").getAsDouble());
        return other;
    }

    @Test
    void aComparisonThatIsKilledAndThenStoppedGoesOnToTheSameBits() throws Exception {
        String flags =
                "--methods lora --ranks 2 --seeds 1,2 --max-steps 200 --dropout 0.1"
                        + " --save-steps 10 --json --parallel ";
        Process killed = start(flags + 2);
        awaitCheckpoint(killed);
        killed.destroyForcibly(); // kill -9 of the parent alone
        assertThat(killed.waitFor(60, TimeUnit.SECONDS)).isTrue();

        Process stopped = start(flags + "2 --resume");
        await(stopped, () -> read(directory.resolve("err.txt")).contains("goes on after step"));
        stopped.destroy(); // as Ctrl-C does
        assertThat(stopped.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(directory.resolve("err.txt"))
                .content()
                .contains("the same command with --resume goes on");
        assertThat(output.resolve("results.json")).doesNotExist();

        CommandRun resumed = compare(flags + "1 --resume");
        assertThat(resumed.err()).contains("goes on after step");
        JsonArray runs = resumed.json().getAsJsonArray("runs");
        Path interrupted = output;
        output = directory.resolve("whole");
        JsonArray whole = compare(flags + "1").json().getAsJsonArray("runs");
        for (int i = 0; i < 2; i++) {
            JsonObject run = runs.get(i).getAsJsonObject();
            assertThat(run.get("loss_after"))
                    .isEqualTo(whole.get(i).getAsJsonObject().get("loss_after"));
            assertThat(run.get("steps").getAsInt()).isEqualTo(200);
            assertThat(run.get("train_seconds").getAsDouble()).isPositive();
        }
        for (String run : List.of("lora-r2-s1", "lora-r2-s2")) {
            assertThat(weights(interrupted, run)).isEqualTo(weights(output, run));
        }
    }

    private static byte[] weights(Path output, String run) throws IOException {
        return Files.readAllBytes(output.resolve(run).resolve("adapter_model.safetensors"));
    }

    private Process start(String flags) throws IOException {
        List<String> words = Arrays.stream(args(flags)).map(Object::toString).toList();
        return new ProcessBuilder(ChildJvm.command(Peft4j.class.getName(), words))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(directory.resolve("err.txt").toFile())
                .start();
    }

    private void awaitCheckpoint(Process process) throws Exception {
        Path checkpoints = output.resolve("lora-r2-s1/checkpoints");
        await(process, () -> hasEntries(checkpoints));
    }

    private void await(Process process, Callable<Boolean> condition) throws Exception {
        while (!condition.call()) {
            assertThat(process.isAlive()).as(() -> read(directory.resolve("err.txt"))).isTrue();
            Thread.sleep(10);
        }
    }

    private static boolean hasEntries(Path checkpoints) throws IOException {
        if (!Files.isDirectory(checkpoints)) {
            return false;
        }
        try (Stream<Path> entries = Files.list(checkpoints)) {
            return entries.anyMatch(entry -> entry.getFileName().toString().startsWith("step-"));
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private CommandRun compare(String flags) {
        CommandRun run = CommandRun.of(args(flags));
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    private void assertRefused(String flags, String... messages) {
        CommandRun run = CommandRun.of(args(flags));
        assertThat(run.err()).startsWith("peft4j: ").contains(messages);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.code()).isEqualTo(2);
    }

    private Object[] args(String flags) {
        List<Object> args =
                new ArrayList<>(List.of("compare", "--model", MODEL, "--output", output));
        args.addAll(List.of("--data", data, "--eval-data", data));
        args.addAll(List.of(flags.split(" ")));
        return args.toArray();
    }
}
