package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.preference.PreferencePair;
import io.peft4j.tuning.reward.RewardDataset;
import io.peft4j.tuning.reward.RewardModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code reward} on the small OpenELM. */
final class RewardCommandTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");
    private static final Path DATA = TestData.path("reward/rows.jsonl");

    @TempDir private Path directory;

    private static CommandRun run(Path output, Object... more) {
        List<Object> args =
                new ArrayList<>(
                        List.of(
                                "reward",
                                "--model",
                                MODEL,
                                "--tokenizer",
                                TOKENIZER,
                                "--data",
                                DATA));
        args.addAll(List.of("--output", output, "--batch-size", 2));
        args.addAll(List.of("--learning-rate", "5e-3"));
        args.addAll(List.of(more));
        if (!args.contains("--max-length")) {
            args.addAll(List.of("--max-length", 48));
        }
        return CommandRun.of(args.toArray());
    }

    private static JsonObject line(Path output, int index) throws IOException {
        List<String> lines = Files.readAllLines(output.resolve("metrics.jsonl"));
        return JsonParser.parseString(lines.get(index < 0 ? lines.size() + index : index))
                .getAsJsonObject();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void trainsARewardModelThatJudgesAnswers(String method) throws IOException {
        Path output = directory.resolve("out");
        CommandRun run =
                run(
                        output,
                        "--method",
                        method,
                        "--rank",
                        4,
                        "--eval-data",
                        DATA,
                        "--epochs",
                        4,
                        "--center-rewards-coefficient",
                        0.01,
                        "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("steps").getAsInt()).isEqualTo(16);
        JsonObject held = line(output, -1);
        assertThat(held.get("eval_loss").getAsDouble())
                .isLessThan(line(output, 0).get("loss").getAsDouble())
                .isEqualTo(run.json().get("eval_loss").getAsDouble());
        assertThat(held.get("eval_accuracy").getAsDouble()).isGreaterThan(0.8);
        assertThat(held.get("eval_margin").getAsDouble()).isPositive();
        Provenance provenance = Provenance.read(output).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("reward");
        assertThat(provenance.get("training.center_rewards_coefficient")).contains("0.01");
        assertThat(provenance.get("training.data_file")).contains("rows.jsonl");
        assertThat(Files.readString(output.resolve("adapter_config.json")))
                .contains("\"task_type\": \"SEQ_CLS\"", "\"score\"");
        assertThat(Files.readString(output.resolve("README.md")))
                .contains("pipeline_tag: text-classification")
                .contains("AutoModelForSequenceClassification", "model.addScoreHead(0)");
        expectAccuracy(output, held.get("eval_accuracy").getAsDouble());
    }

    /** The result, opened beside another adapter, prefers what the training said it prefers. */
    private static void expectAccuracy(Path reward, double accuracy) throws IOException {
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(TOKENIZER);
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                LoraConfig.builder()
                                        .setRank(1)
                                        .setTargetModules("all-linear")
                                        .build())) {
            RewardModel judge = RewardModel.open(model, adapted, "reward", reward, 3);
            List<PreferencePair> pairs =
                    RewardDataset.read(DATA, tokenizer, model.config().vocabularySize(), 48)
                            .pairs();
            List<Example> texts = new ArrayList<>();
            pairs.forEach(pair -> texts.addAll(List.of(pair.chosen(), pair.rejected())));
            double[] scores = judge.scores(texts);
            int preferred = 0;
            for (int i = 0; i < pairs.size(); i++) {
                preferred += scores[2 * i] > scores[2 * i + 1] ? 1 : 0;
            }
            assertThat((double) preferred / pairs.size()).isEqualTo(accuracy);
        }
    }

    @Test
    void aFinishedRunThatIsResumedGivesTheSameAgain() throws IOException {
        Path output = directory.resolve("out");
        Object[] flags = {"--rank", 4, "--max-steps", 4, "--save-steps", 2};
        assertThat(run(output, flags).code()).isZero();
        byte[] first = Files.readAllBytes(output.resolve("adapter_model.safetensors"));
        Files.delete(output.resolve("adapter_model.safetensors"));
        List<Object> again = new ArrayList<>(List.of(flags));
        again.add("--resume");
        CommandRun run = run(output, again.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("reward: goes on after step 4");
        assertThat(Files.readAllBytes(output.resolve("adapter_model.safetensors")))
                .isEqualTo(first);
    }

    @Test
    void goesOnFromARewardModelAndRefusesAnotherAdapter() throws IOException {
        Path output = directory.resolve("out");
        assertThat(run(output, "--rank", 4, "--max-steps", 2).code()).isZero();
        Path next = directory.resolve("next");
        CommandRun run = run(next, "--adapter", output, "--max-steps", 1);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Provenance.read(next).orElseThrow().get("training.init_adapter_sha256"))
                .isPresent();
        CommandRun refused =
                run(
                        directory.resolve("third"),
                        "--adapter",
                        GoldenRows.adapter("dora"),
                        "--max-steps",
                        1);
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("--init-adapter must be a reward model");
    }

    @Test
    void whatJudgesIsToldByInspectAndRefusedWhereTextIsWritten() throws IOException {
        Path judge = directory.resolve("judge");
        assertThat(run(judge, "--rank", 4, "--max-steps", 1).code()).isZero();
        JsonObject facts = CommandRun.of("inspect", judge, "--json").json();
        assertThat(facts.get("task_type").getAsString()).isEqualTo("SEQ_CLS");
        assertThat(facts.get("modules_to_save").toString()).isEqualTo("[\"score\"]");
        Path rows = GoldenRows.write(directory.resolve("rows.jsonl"));
        List<Object> use = List.of("--model", MODEL, "--tokenizer", TOKENIZER, "--adapter", judge);
        Path output = directory.resolve("out");
        for (List<Object> command :
                List.<List<Object>>of(
                        List.of("generate", "--prompt", "a", "--max-new-tokens", 1),
                        List.of("merge", "--output", output),
                        List.of("train", "--data", rows, "--output", output))) {
            List<Object> args = new ArrayList<>(command);
            args.addAll(1, use);
            CommandRun refused = CommandRun.of(args.toArray());
            assertThat(refused.code()).as(refused.err()).isEqualTo(2);
            assertThat(refused.err().lines()).hasSize(1);
            assertThat(refused.err())
                    .contains(judge + ": expected an adapter that writes text, found a reward");
            assertThat(output).doesNotExist();
        }
    }

    @Test
    void pairsThatAreTooLongAreLeftOutAndCounted() {
        CommandRun run =
                run(directory.resolve("out"), "--rank", 2, "--max-steps", 1, "--max-length", 16);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("pairs are left out: one of their texts has more than 16");
    }

    @Test
    void dryRunForetellsTheMemoryOfBothAnswers() {
        CommandRun run = run(directory.resolve("out"), "--rank", 4, "--dry-run", "--json");
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
                    --method full                     | --method must be lora or dora for reward
                    --method ia3                      | --method must be lora or dora for reward
                    --center-rewards-coefficient -1   | --center-rewards-coefficient must be a number from 0 up
                    --patience 2                      | --patience needs --eval-data
                    """)
    void aWrongRequestIsRefusedInOneLine(String flags, String message) {
        CommandRun run = run(directory.resolve("out"), (Object[]) flags.split(" ", -1));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("peft4j: ").contains(message);
        assertThat(run.err().lines()).hasSize(1);
    }
}
