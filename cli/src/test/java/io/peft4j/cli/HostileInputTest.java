package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are damaged, hostile or do not fit: one line that says what is wrong. */
final class HostileInputTest {

    @TempDir private Path directory;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    {"input_ids": [1, 264, 5]}            | 264
                    {"input_ids": [1, -7, 5]}             | -7
                    {"input_ids": [1, 2.5, 5]}            | data.jsonl
                    {"input_ids": [1, 5], "labels": [1]}  | data.jsonl
                    {"input_ids": []}                     | data.jsonl
                    {"input_ids": "1 2 3"}                | data.jsonl
                    {"words": "what is this"}             | data.jsonl
                    {"input_ids": [1, 5                   | data.jsonl
                    [1, 5, 9]                             | data.jsonl
                    """)
    void aRowThatCannotBeUsedIsNamed(String row, String message) throws Exception {
        Path data = write("{\"input_ids\": [1, 5, 9]}\n" + row + "\n");
        assertFailed(CommandRun.of("eval", "--model", MODEL, "--data", data), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n\n", "{\"input_ids\": [4]}\n"})
    void dataWithNothingToLearnFromIsRefused(String content) throws Exception {
        Path data = write(content);
        assertFailed(CommandRun.of("eval", "--model", MODEL, "--data", data), "data.jsonl");
        assertFailed(
                CommandRun.of(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        data,
                        "--output",
                        directory.resolve("out")),
                "data.jsonl");
        assertThat(directory.resolve("out/adapter_config.json")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 5, 9, 2000, 60_000})
    void aModelThatWasCutShortIsRefused(int length) throws Exception {
        Path model = copy(MODEL, "model");
        cut(model.resolve("model.safetensors"), length);
        assertFailed(
                CommandRun.of("eval", "--model", model, "--data", rows()), "model.safetensors");
        assertFailed(CommandRun.of("inspect", model), "model.safetensors");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 9, 1000})
    void anAdapterThatWasCutShortIsRefused(int length) throws Exception {
        Path adapter = copy(GoldenRows.adapter("dora"), "adapter");
        cut(adapter.resolve("adapter_model.safetensors"), length);
        assertFailed(
                CommandRun.of("eval", "--model", MODEL, "--adapter", adapter, "--data", rows()),
                "adapter_model.safetensors");
        assertFailed(CommandRun.of("inspect", adapter), "adapter_model.safetensors");
    }

    @Test
    void anAdapterOfAnotherShapeIsRefusedWithItsTensors() throws Exception {
        Path adapter = copy(GoldenRows.adapter("lora"), "adapter");
        Path config = adapter.resolve("adapter_config.json");
        Files.writeString(config, Files.readString(config).replace("\"r\": 4", "\"r\": 5"));
        assertFailed(
                CommandRun.of("eval", "--model", MODEL, "--adapter", adapter, "--data", rows()),
                "qkv_proj.lora_A.weight");
    }

    @Test
    void anAdapterThatWantsModulesTheModelLacksIsRefusedWithNearNames() throws Exception {
        Path adapter = copy(GoldenRows.adapter("lora"), "adapter");
        Path config = adapter.resolve("adapter_config.json");
        Files.writeString(config, Files.readString(config).replace("qkv_proj", "qkv_prj"));
        assertFailed(
                CommandRun.of("eval", "--model", MODEL, "--adapter", adapter, "--data", rows()),
                "qkv_proj");
    }

    @Test
    void aPickleIsRefusedAndNotExecuted() throws Exception {
        Path adapter = copy(GoldenRows.adapter("lora"), "adapter");
        Files.delete(adapter.resolve("adapter_model.safetensors"));
        Files.write(adapter.resolve("adapter_model.bin"), new byte[] {(byte) 0x80, 2, '.'});
        assertFailed(
                CommandRun.of("eval", "--model", MODEL, "--adapter", adapter, "--data", rows()),
                "safetensors");
        Path model = copy(MODEL, "model");
        Files.move(model.resolve("model.safetensors"), model.resolve("pytorch_model.bin"));
        assertFailed(CommandRun.of("eval", "--model", model, "--data", rows()), "safetensors");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{",
                "{\"model_type\": \"gpt2\"}",
                "{\"model_type\": \"openelm\"}"
            })
    void aConfigThatIsNoneIsRefused(String content) throws Exception {
        Path model = copy(MODEL, "model");
        Files.writeString(model.resolve("config.json"), content);
        assertFailed(CommandRun.of("eval", "--model", model, "--data", rows()), "config.json");
        assertFailed(CommandRun.of("inspect", model), "config.json");
    }

    @Test
    void aConfigNestedWithoutEndIsRefused() throws Exception {
        Path model = copy(MODEL, "model");
        Files.writeString(model.resolve("config.json"), "[".repeat(100_000));
        assertFailed(CommandRun.of("inspect", model), "config.json");
    }

    @Test
    void bytesThatAreNoTextAreRefused() throws Exception {
        Path data = directory.resolve("data.jsonl");
        Files.write(data, "{\"text\": \"\u00ff\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertFailed(CommandRun.of("eval", "--model", MODEL, "--data", data), "data.jsonl");
    }

    private Path rows() throws IOException {
        return GoldenRows.write(directory.resolve("rows.jsonl"));
    }

    private Path write(String content) throws IOException {
        return Files.writeString(directory.resolve("data.jsonl"), content);
    }

    private Path copy(Path source, String name) throws IOException {
        Path target = Files.createDirectory(directory.resolve(name));
        try (Stream<Path> files = Files.list(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, target.resolve(file.getFileName().toString()));
            }
        }
        return target;
    }

    private static void cut(Path file, int length) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(bytes, length));
    }

    private static void assertFailed(CommandRun run, String message) {
        assertThat(run.err()).startsWith("peft4j: ").contains(message);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).doesNotContain("internal error");
        assertThat(run.out()).isEmpty();
        assertThat(run.code()).isBetween(1, 2);
    }
}
