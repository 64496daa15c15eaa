package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.tuning.TrainingResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example on the CPU and a tiny OpenELM. */
final class FineTuneOpenElmTest {

    @TempDir private Path directory;
    private Path model;
    private Path data;

    @BeforeEach
    void aModelAndRows() throws IOException {
        model = TinyOpenElm.in(directory);
        data = directory.resolve("rows.jsonl");
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            rows.append("{\"prompt\": \"count ").append(i).append("\", \"completion\": \" up\"}\n");
        }
        Files.writeString(data, rows);
    }

    private TrainingResult run(Path output, String... more) throws IOException {
        List<String> flags =
                new ArrayList<>(List.of("--model", model.toString(), "--data", data.toString()));
        flags.addAll(List.of("--tokenizer", model.toString(), "--output", output.toString()));
        flags.addAll(List.of("--batch-size", "2", "--rank", "4", "--save-steps", "3"));
        flags.addAll(Arrays.asList(more));
        return FineTuneOpenElm.runExample(flags.toArray(String[]::new));
    }

    @Test
    void theSameCommandGoesOnWithACutTrainingAndGivesTheSameBits() throws IOException {
        Path whole = directory.resolve("whole");
        assertThat(run(whole).steps()).isEqualTo(4);
        Path cut = directory.resolve("cut");
        run(cut);
        Files.delete(cut.resolve("adapter_model.safetensors"));
        Path last = cut.resolve("checkpoints/step-000004");
        if (Files.exists(last)) {
            Files.delete(last.resolve("COMPLETE")); // as if it had been killed while writing it
        }
        TrainingResult resumed = run(cut);
        assertThat(resumed.steps()).isEqualTo(4);
        assertThat(resumed.loss()).as("a step was left to do").isPresent();
        assertThat(cut.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("adapter_model.safetensors"));
    }

    @Test
    void aWrongFlagIsNamedAndAMissingGpuIsExplained() {
        assertThatThrownBy(() -> FineTuneOpenElm.runExample("--modle", "x"))
                .hasMessageContaining("--modle: expected one of [--model,");
        assertThatThrownBy(() -> FineTuneOpenElm.runExample("--model", "x"))
                .hasMessage("--output is missing");
        assertThatThrownBy(() -> run(directory.resolve("out"), "--device", "gpu"))
                .hasMessageContaining("no GPU can be used")
                .hasMessageContaining("PEFT4J_CUDA=1");
    }
}
