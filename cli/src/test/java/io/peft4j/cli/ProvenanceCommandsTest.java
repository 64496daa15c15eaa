package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.peft4j.files.Sha256;
import io.peft4j.testdata.TestData;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the commands record of an adapter, and what inspect tells of it. */
final class ProvenanceCommandsTest {

    private static final Path OTHER_MODEL = TestData.path("embedded/model");

    @TempDir private Path directory;

    private static JsonObject json(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertThat(run.code()).as(run.err()).isZero();
        return run.json();
    }

    private Path trained() throws Exception {
        Path output = directory.resolve("trained");
        json(
                "train",
                "--model",
                MODEL,
                "--data",
                GoldenRows.write(directory.resolve("rows.jsonl")),
                "--init-adapter",
                GoldenRows.adapter("lora"),
                "--max-steps",
                "3",
                "--batch-size",
                "1",
                "--seed",
                "9",
                "--output",
                output,
                "--json");
        return output;
    }

    private static String text(JsonObject json, String key) {
        return json.get(key).getAsString();
    }

    @Test
    void inspectTellsWhatTrainRecorded() throws Exception {
        Path output = trained();
        JsonObject facts = json("inspect", output, "--model", MODEL, "--json");
        JsonObject provenance = facts.getAsJsonObject("provenance");
        assertThat(text(provenance, "training.steps")).isEqualTo("3");
        assertThat(text(provenance, "training.kind")).isEqualTo("sft");
        assertThat(text(provenance, "training.seed")).isEqualTo("9");
        assertThat(text(provenance, "training.data_file")).isEqualTo("rows.jsonl");
        assertThat(text(provenance, "training.data_file_sha256"))
                .isEqualTo(Sha256.of(directory.resolve("rows.jsonl")));
        assertThat(text(provenance, "training.init_adapter_sha256"))
                .isEqualTo(
                        Sha256.of(GoldenRows.adapter("lora").resolve("adapter_model.safetensors")));
        assertThat(text(provenance, "base.fingerprint"))
                .isEqualTo(text(facts, "model_fingerprint"));
        assertThat(facts.get("model_matches").getAsBoolean()).isTrue();
        assertThat(facts.has("provenance_problem")).isFalse();
        assertThat(CommandRun.of("inspect", output).out())
                .containsPattern("(?m)^provenance\\R  adapter\\.method +lora$")
                .containsPattern("(?m)^  training\\.steps +3$");
    }

    @Test
    void anotherBaseIsTold() throws Exception {
        Path output = trained();
        JsonObject facts = json("inspect", output, "--model", OTHER_MODEL, "--json");
        assertThat(facts.get("model_matches").getAsBoolean()).isFalse();
        CommandRun model = CommandRun.of("inspect", MODEL, "--model", OTHER_MODEL);
        assertThat(model.code()).isEqualTo(2);
        assertThat(model.err()).contains("is a model");
    }

    @Test
    void whatPeftWroteHasNoneAndMatchesNothing() {
        JsonObject facts = json("inspect", GoldenRows.adapter("lora"), "--model", MODEL, "--json");
        assertThat(facts.get("provenance").isJsonNull()).isTrue();
        assertThat(facts.get("model_matches").isJsonNull()).isTrue();
        assertThat(facts.has("provenance_problem")).isFalse();
    }

    @Test
    void aMalformedOneIsTold() throws Exception {
        Path output = trained();
        Files.writeString(output.resolve("adapter_provenance.json"), "{\"\u001b[2J\": \"a\"}");
        JsonObject facts = json("inspect", output, "--json");
        assertThat(facts.get("provenance").isJsonNull()).isTrue();
        assertThat(text(facts, "provenance_problem")).contains("adapter_provenance.json");
        assertThat(CommandRun.of("inspect", output).out())
                .contains("provenance problem")
                .doesNotContain("\u001b");
    }

    @Test
    void oneThatIsAboutOtherTensorsIsTold() throws Exception {
        Path output = trained();
        Files.copy(
                GoldenRows.adapter("lora").resolve("adapter_model.safetensors"),
                output.resolve("adapter_model.safetensors"),
                StandardCopyOption.REPLACE_EXISTING);
        assertThat(text(json("inspect", output, "--json"), "provenance_problem"))
                .isEqualTo("written for other files: adapter_model.safetensors changed since");
    }

    @Test
    void aMergedModelTellsWhichAdapterIsInIt() throws Exception {
        Path output = trained();
        Path merged = directory.resolve("merged");
        json("merge", "--model", MODEL, "--adapter", output, "--output", merged, "--json");
        JsonObject provenance = json("inspect", merged, "--json").getAsJsonObject("provenance");
        assertThat(text(provenance, "merge.adapter_sha256"))
                .isEqualTo(Sha256.of(output.resolve("adapter_model.safetensors")));
        assertThat(text(provenance, "merge.base_fingerprint"))
                .isEqualTo(text(provenance, "base.fingerprint"));
        assertThat(text(provenance, "merge.dtype")).isEqualTo("float32");
        assertThat(text(provenance, "training.steps")).isEqualTo("3");
        assertThat(json("inspect", MODEL, "--json").has("provenance")).isFalse();
        JsonObject facts = json("inspect", output, "--model", merged, "--json");
        assertThat(facts.get("model_matches").getAsBoolean()).isFalse();
    }

    @Test
    void anAdapterOnAnotherBaseIsOneLineOnStderr() throws Exception {
        Path output = trained();
        Path merged = directory.resolve("merged");
        json("merge", "--model", MODEL, "--adapter", output, "--output", merged, "--json");
        PrintStream stderr = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
        try {
            json(
                    "eval",
                    "--model",
                    merged,
                    "--adapter",
                    output,
                    "--data",
                    directory.resolve("rows.jsonl"),
                    "--json");
        } finally {
            System.setErr(stderr);
        }
        assertThat(log.toString(StandardCharsets.UTF_8).lines())
                .filteredOn(line -> line.contains("was made for another base model"))
                .hasSize(1)
                .allMatch(line -> line.startsWith("WARN Adapter - adapter default was made"));
    }
}
