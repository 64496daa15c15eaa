package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code export}, and {@code inspect --for} before it. */
final class ExportCommandTest {

    private static final Path MODEL = TestData.path("golden/llama3/model");

    @TempDir private Path directory;

    private static Path adapter(String name) {
        return TestData.path("golden/serving/" + name);
    }

    private CommandRun export(String server, String adapter, Object... more) {
        Object[] words = {
            "export",
            "--for",
            server,
            "--model",
            MODEL,
            "--adapter",
            adapter(adapter),
            "--output",
            directory.resolve("out")
        };
        Object[] all = new Object[words.length + more.length];
        System.arraycopy(words, 0, all, 0, words.length);
        System.arraycopy(more, 0, all, words.length, more.length);
        return CommandRun.of(all);
    }

    @ParameterizedTest
    @CsvSource({
        "vllm, adapter_model.safetensors",
        "tgi, adapter_model.safetensors",
        "llama.cpp, adapter.gguf",
        "djl-serving, adapters/default/adapter_model.safetensors"
    })
    void eachServerGetsItsFilesAndIsThenContent(String server, String file) {
        CommandRun run = export(server, "rslora");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("14 modules of rank").contains("nothing was cut");
        assertThat(directory.resolve("out").resolve(file)).isNotEmptyFile();
    }

    @Test
    void whatInspectFindsBeforeIsGoneAfter() {
        CommandRun before = CommandRun.of("inspect", adapter("rslora"), "--for", "vllm", "--json");
        JsonObject wrong = before.json().getAsJsonArray("server_findings").get(0).getAsJsonObject();
        assertThat(wrong.get("outcome").getAsString()).isEqualTo("wrong");
        assertThat(before.json().get("server_verdict").getAsString()).contains("wrongly");
        assertThat(CommandRun.of("inspect", adapter("rslora"), "--for", "vllm").out())
                .contains("server verdict")
                .contains("vLLM knows one scaling");
        export("vllm", "rslora");
        CommandRun after =
                CommandRun.of(
                        "inspect",
                        directory.resolve("out"),
                        "--model",
                        MODEL,
                        "--for",
                        "vllm",
                        "--json");
        assertThat(after.code()).as(after.err()).isZero();
        assertThat(after.json().getAsJsonArray("server_findings")).isEmpty();
        assertThat(after.json().get("server_verdict").getAsString()).isEqualTo("served");
    }

    @Test
    void doraIsCutWithItsEnergyPrintedOrMerged() {
        CommandRun refused = export("vllm", "dora");
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err().lines()).hasSize(1);
        assertThat(refused.err()).contains("full rank").contains("--rank").contains("--merged");
        assertThat(directory.resolve("out")).doesNotExist();

        CommandRun merged = export("llama.cpp", "dora", "--merged");
        assertThat(merged.code()).as(merged.err()).isZero();
        assertThat(directory.resolve("out/model.safetensors")).isNotEmptyFile();

        CommandRun again = export("vllm", "dora", "--rank", 20, "--json");
        assertThat(again.code()).isEqualTo(2); // the directory is not empty
    }

    @Test
    void whatAServerPassesOverIsRefusedInOneLineAndNothingIsWritten() {
        CommandRun run = export("tgi", "heads");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).contains("model.embed_tokens").contains("merge");
        assertThat(directory.resolve("out")).doesNotExist();
    }

    @Test
    void theEnergyOfACutIsPrinted() {
        CommandRun run = export("vllm", "dora", "--rank", 20);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out())
                .containsPattern(
                        "keeps \\d\\d\\.\\d\\d % of the change's energy, of the worst module")
                .contains("start vllm with --max-lora-rank 32");
    }

    @ParameterizedTest
    @CsvSource({
        "--for, ollama, llama.cpp",
        "--rank, 0, at least 1",
        "--name, a/b, letters",
    })
    void aWrongFlagIsOneLine(String flag, String value, String expected) {
        CommandRun run =
                flag.equals("--for")
                        ? export(value, "rslora")
                        : export("djl-serving", "rslora", flag, value);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).contains(expected);
    }

    @Test
    void mergedTakesNoFlagsOfAnAdapter() {
        assertThat(export("vllm", "rslora", "--merged", "--rank", 8).err()).contains("--merged");
        CommandRun model = CommandRun.of("inspect", MODEL, "--for", "vllm");
        assertThat(model.code()).isEqualTo(2);
        assertThat(model.err()).contains("--for is about adapters");
    }
}
