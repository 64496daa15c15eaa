package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A trained adapter's card, and the Java program on it. */
class ModelCardProgramTest {

    private static final Pattern PROGRAM = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

    @TempDir Path directory;

    private String train(String base) throws IOException {
        Path output = directory.resolve("adapter");
        LoraConfig lora =
                LoraConfig.builder()
                        .setRank(2)
                        .setTargetModules("qkv_proj")
                        .optTaskType("CAUSAL_LM")
                        .optBaseModel(base)
                        .build();
        try (CausalLm model = OpenElm.load();
                AdaptedModel adapted = Adapters.attach(model.block(), lora, 5)) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted, Map.of("data_file", "rows.jsonl")),
                    List.of(Example.of(5, 6, 7, 8), Example.of(9, 8, 7)),
                    List.of(Example.of(11, 12, 13)),
                    TrainingConfig.builder().optBatchSize(2).optMaxSteps(3).build(),
                    output);
        }
        return Files.readString(output.resolve("README.md"));
    }

    @Test
    void theCardTellsTheTrainingsFigures() throws IOException {
        String card = train("org/name");
        List<String> lines = Files.readAllLines(directory.resolve("adapter/metrics.jsonl"));
        String loss = figure(lines.get(2), "loss");
        String heldOut = figure(lines.get(3), "eval_loss");
        assertThat(card)
                .contains(
                        "| optimizer steps | `3` |\n| epochs | `3.0` |\n"
                                + "| training loss of the last step | `"
                                + loss
                                + "` |\n| held-out loss | `"
                                + heldOut
                                + "` |\n| seconds in optimizer steps | `")
                .contains("| file | `rows.jsonl` |\n| rows | `2` |\n");
    }

    private static String figure(String line, String key) {
        Matcher matcher = Pattern.compile("\"" + key + "\":([^,}]+)").matcher(line);
        assertThat(matcher.find()).as(line).isTrue();
        return matcher.group(1);
    }

    @Test
    void theJavaProgramOnTheCardCompilesAndLoadsTheAdapter() throws Exception {
        String card = train(OpenElm.DIRECTORY.resolve("model").toString());
        Matcher program = PROGRAM.matcher(card);
        assertThat(program.find()).isTrue();
        String placed =
                program.group(1)
                        .replace("path/to/this/directory", "" + directory.resolve("adapter"));
        int body = placed.lastIndexOf("import ");
        body = placed.indexOf('\n', body) + 1;
        Path source = directory.resolve("Card.java");
        Files.writeString(
                source,
                placed.substring(0, body)
                        + "public class Card { public static void main(String[] args) throws"
                        + " Exception {\n"
                        + placed.substring(body)
                        + "} }\n");
        int result =
                ToolProvider.getSystemJavaCompiler()
                        .run(
                                null,
                                null,
                                null,
                                "-cp",
                                System.getProperty("java.class.path"),
                                "-Xlint:all,-processing",
                                "-proc:none",
                                "-d",
                                directory.toString(),
                                source.toString());
        assertThat(result).as(placed).isZero();
        assertThat(runMain()).contains("qkv_proj");
    }

    private String runMain() throws Exception {
        PrintStream stdout = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try (URLClassLoader loader = new URLClassLoader(new URL[] {directory.toUri().toURL()})) {
            loader.loadClass("Card")
                    .getMethod("main", String[].class)
                    .invoke(null, (Object) new String[0]);
        } finally {
            System.setOut(stdout);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
