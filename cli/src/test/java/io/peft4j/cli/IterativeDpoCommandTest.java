package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.reward.RewardModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code dpo --prompts} on the small OpenELM. */
final class IterativeDpoCommandTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;
    private Path prompts;
    private Path output;

    @BeforeEach
    void writePrompts() throws IOException {
        output = directory.resolve("out");
        prompts =
                Files.writeString(
                        directory.resolve("prompts.jsonl"),
                        "{\"prompt\": \"2+2=\"}\n{\"prompt\": \"The sky is\"}\n");
    }

    private CommandRun run(Object... more) {
        List<Object> args = new ArrayList<>(List.of("dpo", "--model", MODEL));
        args.addAll(List.of("--tokenizer", TOKENIZER, "--output", output, "--rank", 4));
        args.addAll(List.of("--batch-size", 2, "--max-length", 32, "--learning-rate", "5e-3"));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    private Object[] flags(Object... more) {
        List<Object> flags = new ArrayList<>(List.of("--prompts", prompts, "--iterations", 2));
        flags.addAll(List.of("--num-generations", 4, "--max-new-tokens", 8, "--max-steps", 2));
        flags.addAll(List.of("--reward", source()));
        flags.addAll(List.of(more));
        return flags.toArray();
    }

    /** A judge whose rewards hardly ever are the same. */
    private Path source() {
        try {
            return Files.writeString(
                    directory.resolve("Sum.java"),
                    """
                    import io.peft4j.tuning.online.*;
                    import java.util.List;
                    class Sum implements RewardFunction {
                        public double[] rewards(List<Completion> all) {
                            return all.stream()
                                    .mapToDouble(one -> one.text().chars().sum() / 1000.0)
                                    .toArray();
                        }
                    }
                    """);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void learnsFromItsOwnAnswersAndGoesOn() throws IOException {
        CommandRun run = run(flags("--json", "--report-to", "tensorboard"));
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err())
                .contains("sampling 1: prompt 2/2", "dpo 1: 2 pairs", "dpo 2: step 2/2")
                .contains("dpo 1: the reference is the base model")
                .contains("dpo 2: the reference is a frozen copy of the adapter")
                .contains("iteration 2: mean reward ");
        List<JsonObject> iterations =
                run.json().getAsJsonArray("iterations").asList().stream()
                        .map(one -> one.getAsJsonObject())
                        .toList();
        assertThat(iterations).extracting(one -> one.get("pairs").getAsInt()).containsExactly(2, 2);
        Provenance provenance = Provenance.read(output).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("dpo");
        assertThat(provenance.get("training.data_file")).contains("prompts.jsonl");
        assertThat(output.resolve("iteration-1/runs")).isDirectory();
        byte[] adapter = Files.readAllBytes(output.resolve("adapter_model.safetensors"));
        assertThat(run(flags()).code()).isEqualTo(2);
        Files.delete(output.resolve("adapter_model.safetensors"));
        CommandRun resumed = run(flags("--resume", "--report-to", "tensorboard"));
        assertThat(resumed.code()).as(resumed.err()).isZero();
        assertThat(resumed.err()).doesNotContain("sampling");
        assertThat(resumed.out().lines().toList())
                .hasSize(4)
                .first()
                .asString()
                .matches("iteration +mean reward +best of a prompt +pairs +margin +steps");
        assertThat(output.resolve("adapter_model.safetensors")).hasBinaryContent(adapter);
        // its pairs are data for dpo
        CommandRun again =
                CommandRun.of(
                        "dpo",
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER,
                        "--data",
                        output.resolve("iteration-1/pairs.jsonl"),
                        "--max-steps",
                        1,
                        "--output",
                        directory.resolve("again"));
        assertThat(again.code()).as(again.err()).isZero();
    }

    @Test
    void aRewardModelIsAskedOfTheVeryTokens() throws IOException {
        Path judge = GoldenRewardModel.in(directory);
        CommandRun run =
                run(
                        "--prompts",
                        prompts,
                        "--iterations",
                        1,
                        "--num-generations",
                        3,
                        "--max-new-tokens",
                        4,
                        "--max-steps",
                        1,
                        "--reward-adapter",
                        judge + "=-2");
        assertThat(run.code()).as(run.err()).isZero();
        List<String> lines = Files.readAllLines(output.resolve("iteration-1/answers.jsonl"));
        List<Example> texts = new ArrayList<>();
        List<Double> told = new ArrayList<>();
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu());
                AdaptedModel adapted = Adapters.open(model.block());
                Tokenizer tokenizer = Tokenizer.load(TOKENIZER)) {
            for (int i = 0; i < 2; i++) {
                long[] asked = tokenizer.encode(List.of("2+2=", "The sky is").get(i), true);
                JsonObject line = JsonParser.parseString(lines.get(i + 1)).getAsJsonObject();
                for (JsonElement answer : line.getAsJsonArray("answers")) {
                    JsonObject one = answer.getAsJsonObject();
                    LongStream said =
                            one.getAsJsonArray("ids").asList().stream()
                                    .mapToLong(JsonElement::getAsLong);
                    texts.add(Example.of(LongStream.concat(LongStream.of(asked), said).toArray()));
                    told.add(one.get("reward").getAsDouble());
                }
            }
            double[] scores = RewardModel.open(model, adapted, "judge", judge, 4).scores(texts);
            assertThat(scores).hasSize(6);
            for (int i = 0; i < scores.length; i++) {
                assertThat(told.get(i)).isCloseTo(-2 * scores[i], within(1e-4));
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --seed 1                          | Missing required option: '--data=F.jsonl' or --prompts
                    --iterations 2                    | --iterations needs --prompts
                    --num-generations 2               | --num-generations needs --prompts
                    --keep-first-reference            | --keep-first-reference needs --prompts
                    --reward exact_match              | --reward or --reward-adapter needs --prompts
                    --prompts x.jsonl                 | --prompts: no such file: x.jsonl
                    --prompts P                       | Missing required option: '--reward=NAME[=WEIGHT]'
                    --prompts P --reward exact_match --temperature 0 | --prompts needs a --temperature above 0
                    --prompts P --reward exact_match --num-generations 1 | --num-generations must be at least 2
                    --prompts P --reward exact_match --data P | --data cannot be given with --prompts
                    --prompts P --reward exact_match --sft-first | --sft-first cannot be given with --prompts
                    --prompts P --reward exact_match --dry-run | --dry-run cannot be given with --prompts
                    --prompts P --reward exact_match --keep-first-reference --sync-ref-model | choose one of both
                    """)
    void aWrongRequestIsRefusedInOneLine(String flags, String message) {
        CommandRun run = run((Object[]) flags.replace("P", prompts.toString()).split(" ", -1));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("peft4j: ").contains(message);
        assertThat(run.err().lines()).hasSize(1);
    }
}
