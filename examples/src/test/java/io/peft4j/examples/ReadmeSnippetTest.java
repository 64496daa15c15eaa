package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java code of README is the code below, which is compiled and run. */
class ReadmeSnippetTest {

    private static final Path SOURCE =
            Path.of("src/test/java/io/peft4j/examples/ReadmeSnippetTest.java");

    private static void run(Path modelDirectory, List<Example> rows, Path output)
            throws IOException {
        // README begins
        try (CausalLm model = CausalLm.load(modelDirectory, Device.cpu());
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                DoraConfig.builder()
                                        .setRank(16)
                                        .setTargetModules("qkv_proj", "out_proj")
                                        .build())) {
            System.out.println(adapted.summary());
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    rows,
                    List.of(),
                    TrainingConfig.builder().optMaxSteps(100).build(),
                    output);
            adapted.merge();
        }
        // README ends
    }

    @Test
    void snippetTrainsMergesAndSavesAnAdapter(@TempDir Path directory) throws IOException {
        run(
                TestData.path("golden/openelm/model"),
                List.of(Example.of(1, 17, 42, 5, 9)),
                directory.resolve("adapter"));
        assertThat(directory.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
    }

    @Test
    void readmeShowsTheCodeThatIsTested() throws IOException {
        String source = Files.readString(SOURCE);
        String tested =
                source.substring(
                        source.indexOf("// README begins\n") + "// README begins\n".length(),
                        source.indexOf("        // README ends\n"));
        String readme = Files.readString(Path.of("..", "README.md"));
        String shown = readme.substring(readme.indexOf("```java\n") + "```java\n".length());
        assertThat(shown.substring(0, shown.indexOf("```"))).isEqualTo(dedent(tested));
    }

    private static String dedent(String code) {
        return code.lines()
                .map(line -> line.startsWith("        ") ? line.substring(8) : line)
                .collect(Collectors.joining("\n", "", "\n"));
    }
}
