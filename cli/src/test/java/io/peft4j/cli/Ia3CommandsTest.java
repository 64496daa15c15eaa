package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An adapter of (IA)³ through the command line. */
final class Ia3CommandsTest {

    @TempDir private Path directory;

    private static CommandRun run(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    private static Path model(String family) {
        return TestData.path("golden/" + family + "/model");
    }

    private Path data() throws IOException {
        return Files.writeString(
                directory.resolve("data.jsonl"), "{\"input_ids\": [1, 9, 30, 12, 50, 7, 7, 41]}\n");
    }

    private Path train(String family, Object... more) throws IOException {
        Path output = directory.resolve("adapter");
        List<Object> args = new ArrayList<>(List.of("train", "--model", model(family)));
        args.addAll(List.of("--data", data(), "--output", output, "--max-steps", 5));
        Collections.addAll(args, more);
        run(args.toArray());
        return output;
    }

    private double loss(Path model, Object... adapter) throws IOException {
        List<Object> args = new ArrayList<>(List.of("eval", "--model", model, "--data", data()));
        Collections.addAll(args, adapter);
        args.add("--json");
        return run(args.toArray()).json().get("loss").getAsDouble();
    }

    @Test
    void itIsTrainedInspectedEvaluatedMergedAndTrainedOn() throws IOException {
        Path base = model("qwen2");
        Path adapter = train("qwen2", "--method", "ia3");
        JsonObject facts = run("inspect", adapter, "--json").json();
        assertThat(facts.get("method").getAsString()).isEqualTo("ia3");
        assertThat(facts.has("rank")).isFalse();
        assertThat(texts(facts, "target_modules")).containsExactly("q_proj", "v_proj", "down_proj");
        assertThat(texts(facts, "feedforward_modules")).containsExactly("down_proj");
        double trained = loss(base, "--adapter", adapter);
        assertThat(trained).isLessThan(loss(base));
        Path merged = directory.resolve("merged");
        run(
                "merge",
                "--model",
                base,
                "--adapter",
                adapter,
                "--output",
                merged,
                "--dtype",
                "float32");
        assertThat(loss(merged)).isCloseTo(trained, within(1e-5));
        Path on = directory.resolve("on");
        run(
                "train",
                "--model",
                base,
                "--data",
                data(),
                "--output",
                on,
                "--init-adapter",
                adapter,
                "--max-steps",
                1,
                "--learning-rate",
                0);
        assertThat(loss(base, "--adapter", on)).isEqualTo(trained);
    }

    private static List<String> texts(JsonObject facts, String key) {
        List<String> texts = new ArrayList<>();
        JsonArray array = facts.getAsJsonArray(key);
        array.forEach(element -> texts.add(element.getAsString()));
        return texts;
    }

    @ParameterizedTest
    @CsvSource({
        "'q_proj,down_proj', [\"down_proj\"]",
        "q_proj, []",
        "all-linear, .*\\.down_proj",
        "mlp.down_proj, .*\\.down_proj"
    })
    void inputsAreScaledOfTheLastLayerIfItIsTargeted(String targets, String feedforward)
            throws IOException {
        Path adapter = train("llama3", "--method", "ia3", "--target-modules", targets);
        String found =
                run("inspect", adapter, "--json").json().get("feedforward_modules").toString();
        assertThat(found.replace("\\\\", "\\").replaceAll("^\"|\"$", "")).isEqualTo(feedforward);
    }

    @Test
    void aServerIsSaidToTakeLoraAlone() throws IOException {
        Path adapter = TestData.path("golden/llama3/ia3");
        JsonObject facts = run("inspect", adapter, "--for", "vllm", "--json").json();
        assertThat(facts.get("server_verdict").getAsString()).isEqualTo("refused");
        CommandRun export =
                CommandRun.of(
                        "export",
                        "--for",
                        "vllm",
                        "--model",
                        model("llama3"),
                        "--adapter",
                        adapter,
                        "--rank",
                        8,
                        "--output",
                        directory.resolve("out"));
        assertThat(export.code()).isNotZero();
        assertThat(export.err().lines()).hasSize(1);
        assertThat(export.err()).contains("is ia3, which changes biases").contains("merge it");
        assertThat(directory.resolve("out")).doesNotExist();
    }

    @Test
    void flagsThatContradictASavedAdapterAreRefused() throws IOException {
        CommandRun run =
                CommandRun.of(
                        "train",
                        "--model",
                        model("llama3"),
                        "--data",
                        data(),
                        "--output",
                        directory.resolve("out"),
                        "--init-adapter",
                        TestData.path("golden/llama3/ia3"),
                        "--rank",
                        4);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--rank cannot be given").contains("is of ia3");
    }

    @Test
    void compareRefusesAMethodThatHasNoRankToVary() {
        CommandRun run =
                CommandRun.of(
                        "compare", "--methods", "lora,ia3", "--output", directory.resolve("c"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--methods must be of lora, dora, full, but is \"ia3\"");
    }
}
