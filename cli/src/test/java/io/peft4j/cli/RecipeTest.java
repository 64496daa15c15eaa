package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.condition.OS.LINUX;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.cli.compare.ChildJvm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.io.TempDir;

/** The recipes that the repository holds, on little data and for few steps. */
final class RecipeTest {

    private static final Path RECIPES = Path.of("..", "examples", "recipes");
    private static final Path MODEL = TestData.path("embedded/model");

    private static final String NAME =
            "-r32-lr0.0003-token_embeddings+qkv_proj+out_proj+proj_1+proj_2";

    @TempDir private Path directory;

    private Path data() throws IOException {
        Path data = Files.createDirectory(directory.resolve("data"));
        Path rows = TestData.path("choice/commonsense.jsonl");
        for (String name : List.of("train", "heldout", "boolq")) {
            Files.copy(rows, data.resolve(name + ".jsonl"));
        }
        return data;
    }

    private static JsonObject json(Path file) throws IOException {
        return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    }

    @Test
    @EnabledOnOs(LINUX)
    void openElmsTrainsBothMethodsAndEvaluatesThemAndTheBase() throws Exception {
        Path output = directory.resolve("out");
        String launcher =
                ChildJvm.command(Peft4j.class.getName(), List.of()).stream()
                        .map(word -> "'" + word + "'")
                        .collect(Collectors.joining(" "));
        Path peft4j = directory.resolve("peft4j");
        Files.writeString(peft4j, "#!/bin/sh\nexec " + launcher + " \"$@\"\n");
        Files.setPosixFilePermissions(peft4j, PosixFilePermissions.fromString("rwx------"));
        ProcessBuilder builder =
                new ProcessBuilder(
                        "bash",
                        RECIPES.resolve("openelm-commonsense.sh").toString(),
                        MODEL.toString(),
                        data().toString(),
                        output.toString(),
                        "--max-steps",
                        "3",
                        "--warmup-steps",
                        "1",
                        "--batch-size=2",
                        "--gradient-accumulation",
                        "1",
                        "--parallel",
                        "1");
        builder.environment().put("PEFT4J", peft4j.toString());
        builder.environment().put("TASKS", "boolq");
        builder.environment().put("LIMIT", "5");
        Path out = directory.resolve("out.txt");
        Path err = directory.resolve("err.txt");
        Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        assertThat(process.waitFor(300, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(Files.readString(err)).isZero();
        String table = Files.readString(out, StandardCharsets.UTF_8);
        assertThat(table)
                .containsPattern("(?m)^task +boolq +mean$")
                .containsPattern("(?m)^base +[01]\\.\\d{4} +[01]\\.\\d{4}$")
                .containsPattern("(?m)^dora-r32-lr0.0003 +[01]\\.\\d{4} +[01]\\.\\d{4}$")
                .containsPattern("(?m)^lora-r32-lr0.0003 +[01]\\.\\d{4} +[01]\\.\\d{4}$");
        JsonObject accuracy = json(output.resolve("accuracy/lora-r32-lr0.0003-boolq.json"));
        assertThat(accuracy.get("questions").getAsInt()).isEqualTo(5);
        expectRecipe(output.resolve("dora" + NAME), true);
        expectRecipe(output.resolve("lora" + NAME), false);
    }

    private static void expectRecipe(Path adapter, boolean dora) throws IOException {
        JsonObject config = json(adapter.resolve("adapter_config.json"));
        assertThat(config.get("use_dora").getAsBoolean()).isEqualTo(dora);
        assertThat(config.get("r").getAsInt()).isEqualTo(32);
        assertThat(config.get("lora_alpha").getAsDouble()).isEqualTo(32);
        assertThat(config.get("lora_dropout").getAsDouble()).isEqualTo(0.1);
        JsonObject settings = json(adapter.resolve("run.json")).getAsJsonObject("settings");
        assertThat(settings.get("base_dtype").getAsString()).isEqualTo("bfloat16");
        assertThat(settings.get("scheduler").getAsString()).isEqualTo("cosine");
        assertThat(settings.get("min_learning_rate").getAsString()).isEqualTo("3.0E-5");
        assertThat(settings.get("warmup_start").getAsString()).isEqualTo("1.0E-6");
        assertThat(settings.get("adam_beta2").getAsString()).isEqualTo("0.95");
        List<Double> rates =
                Files.readAllLines(adapter.resolve("metrics.jsonl")).stream()
                        .map(line -> JsonParser.parseString(line).getAsJsonObject())
                        .filter(line -> line.has("learning_rate"))
                        .map(line -> line.get("learning_rate").getAsDouble())
                        .toList();
        assertThat(rates).first().isEqualTo(1e-6);
        assertThat(rates.get(1)).isEqualTo(3e-4);
        assertThat(rates.get(2)).isCloseTo((3e-4 + 3e-5) / 2, within(1e-15));
        try (SafetensorsFile file =
                SafetensorsFile.open(adapter.resolve("adapter_model.safetensors"))) {
            assertThat(file.names()).anyMatch(name -> name.contains("token_embeddings"));
        }
    }
}
