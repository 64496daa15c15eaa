package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.Provenance;
import io.peft4j.cli.compare.ChildJvm;
import io.peft4j.files.Sha256;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code dpo} on the small OpenELM. */
final class DpoCommandTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");
    private static final Path DATA = TestData.path("dpo/rows.jsonl");

    @TempDir private Path directory;

    private static CommandRun run(Path output, Object... more) {
        return CommandRun.of(args(output, more).toArray());
    }

    private static List<Object> args(Path output, Object... more) {
        List<Object> args =
                new ArrayList<>(
                        List.of("dpo", "--model", MODEL, "--tokenizer", TOKENIZER, "--data", DATA));
        args.addAll(List.of("--output", output, "--rank", 4, "--batch-size", 2));
        args.addAll(List.of("--max-length", 32, "--learning-rate", "5e-3"));
        args.addAll(List.of(more));
        return args;
    }

    private static JsonObject line(Path output, int index) throws IOException {
        List<String> lines = Files.readAllLines(output.resolve("metrics.jsonl"));
        return JsonParser.parseString(lines.get(index < 0 ? lines.size() + index : index))
                .getAsJsonObject();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void trainsAnAdapterThatPrefersTheChosenAnswers(String method) throws IOException {
        Path output = directory.resolve("out");
        CommandRun run =
                run(output, "--method", method, "--eval-data", DATA, "--epochs", 3, "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("steps").getAsInt()).isEqualTo(12);
        assertThat(run.err()).contains("dpo: the reference is the base model: the adapter is new");
        assertThat(line(output, 0).get("loss").getAsDouble())
                .isBetween(Math.log(2) - 1e-4, Math.log(2) + 1e-4);
        JsonObject held = line(output, -1);
        assertThat(held.get("eval_loss").getAsDouble())
                .isLessThan(Math.log(2))
                .isEqualTo(run.json().get("eval_loss").getAsDouble());
        assertThat(held.get("eval_rewards/accuracies").getAsDouble()).isGreaterThan(0.7);
        assertThat(held.has("eval_perplexity")).isFalse();
        Provenance provenance = Provenance.read(output).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("dpo");
        assertThat(provenance.get("training.reference")).contains("base");
        assertThat(provenance.get("training.data_file")).contains("rows.jsonl");
    }

    @Test
    void fineTunesOnTheChosenAnswersFirst() throws IOException {
        Path output = directory.resolve("out");
        CommandRun run = run(output, "--sft-first", "--max-steps", 3);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err())
                .contains("sft: step 3/3", "dpo: step 3/3")
                .contains("dpo: the reference is a frozen copy of the adapter");
        assertThat(run.out()).startsWith("wrote " + output + ": 3 steps, last training loss ");
        assertThat(Provenance.read(output.resolve("sft")).orElseThrow().get("training.kind"))
                .contains("sft");
        assertThat(Provenance.read(output).orElseThrow().get("training.reference").orElseThrow())
                .hasSize(64);
    }

    @Test
    void aFinishedRunThatIsResumedGivesTheSameAgain() throws IOException {
        Path output = directory.resolve("out");
        Object[] flags = {"--sft-first", "--max-steps", 4, "--save-steps", 2};
        assertThat(run(output, flags).code()).isZero();
        byte[] first = Files.readAllBytes(output.resolve("adapter_model.safetensors"));
        Files.delete(output.resolve("adapter_model.safetensors"));
        List<Object> again = new ArrayList<>(List.of(flags));
        again.add("--resume");
        CommandRun run = run(output, again.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("sft: goes on after step 4", "dpo: goes on after step 4");
        assertThat(Files.readAllBytes(output.resolve("adapter_model.safetensors")))
                .isEqualTo(first);
    }

    @Test
    void aRunThatIsKilledInFineTuningAndThenInDpoGoesOnToTheSameBits() throws Exception {
        Path whole = directory.resolve("whole");
        Path killed = directory.resolve("killed");
        Object[] flags = {"--sft-first", "--max-steps", 200, "--save-steps", 10};
        kill(args(killed, flags), killed.resolve("sft/checkpoints"));
        List<Object> resumed = new ArrayList<>(List.of(flags));
        resumed.add("--resume");
        assertThat(killed.resolve("checkpoints")).doesNotExist();
        kill(args(killed, resumed.toArray()), killed.resolve("checkpoints"));
        assertThat(killed.resolve("adapter_model.safetensors")).doesNotExist();

        CommandRun run = run(killed, resumed.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err())
                .contains("sft: goes on after step 200")
                .containsPattern("dpo: goes on after step 1?[0-9]0\\b");
        assertThat(run(whole, flags).code()).isZero();
        for (String file : List.of("adapter_model.safetensors", "sft/adapter_model.safetensors")) {
            assertThat(Sha256.of(killed.resolve(file))).isEqualTo(Sha256.of(whole.resolve(file)));
        }
        assertThat(Files.readAllLines(killed.resolve("metrics.jsonl"))).hasSize(200);
    }

    /** Runs the command in a process of its own, until it has written a checkpoint: kill -9. */
    private void kill(List<Object> args, Path checkpoints) throws Exception {
        Path log = directory.resolve("log");
        List<String> words = args.stream().map(Object::toString).toList();
        Process process =
                new ProcessBuilder(ChildJvm.command(Peft4j.class.getName(), words))
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(log.toFile())
                        .start();
        try {
            while (!hasSteps(checkpoints)) {
                assertThat(process.isAlive()).as(Files.readString(log)).isTrue();
                Thread.sleep(10);
            }
        } finally {
            process.destroyForcibly();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static boolean hasSteps(Path checkpoints) {
        String[] names = checkpoints.toFile().list();
        return names != null && Arrays.stream(names).anyMatch(name -> name.startsWith("step-"));
    }

    @Test
    void goesOnFromATrainedAdapterWithItsReferencesAnswersKept() throws IOException {
        Path output = directory.resolve("out");
        Path cache = directory.resolve("cache");
        CommandRun run =
                CommandRun.of(
                        "dpo",
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER,
                        "--data",
                        DATA,
                        "--max-length",
                        32,
                        "--adapter",
                        GoldenRows.adapter("dora"),
                        "--loss-type",
                        "apo_zero,ipo",
                        "--loss-weights",
                        "1,0.5",
                        "--max-steps",
                        2,
                        "--precompute-reference-log-probs",
                        "--reference-cache",
                        cache,
                        "--output",
                        output);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(cache.toFile().list()).hasSize(1);
        Provenance provenance = Provenance.read(output).orElseThrow();
        assertThat(provenance.get("training.loss_type")).contains("apo_zero ipo");
        assertThat(provenance.get("training.reference").orElseThrow()).hasSize(64);
        assertThat(provenance.get("training.init_adapter_sha256")).isPresent();
    }

    @Test
    void dryRunForetellsTheMemoryOfBothAnswers() {
        CommandRun run = run(directory.resolve("out"), "--dry-run", "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("batch_size").getAsInt()).isEqualTo(4);
        assertThat(run.json().get("peak_bytes").getAsLong()).isPositive();
        assertThat(directory.resolve("out")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --method full                     | --method must be lora or dora for dpo
                    --loss-type dpo                   | expected a loss of sigmoid, robust
                    --beta 0                          | expected a beta above 0, found 0.0
                    --label-smoothing 0.7             | expected a label smoothing from 0 to below 0.5
                    --loss-type exo_pair              | exo_pair needs a label smoothing above 0
                    --loss-weights 1,2                | expected a weight for each of 1 loss types, found 2
                    --reference-cache x               | --reference-cache needs --precompute-reference-log-probs
                    --ref-model-sync-steps 3          | --ref-model-sync-steps needs --sync-ref-model
                    --sync-ref-model --ref-model-mixup-alpha 2 | expected an alpha above 0 and at most 1
                    --sync-ref-model --precompute-reference-log-probs | choose one of both
                    --truncation-mode middle          | --truncation-mode must be keep_start or keep_end
                    --sft-learning-rate 1             | --sft-learning-rate needs --sft-first
                    --patience 2                      | --patience needs --eval-data
                    """)
    void aWrongRequestIsRefusedInOneLine(String flags, String message) {
        CommandRun run = run(directory.resolve("out"), (Object[]) flags.split(" ", -1));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("peft4j: ").contains(message);
        assertThat(run.err().lines()).hasSize(1);
    }
}
