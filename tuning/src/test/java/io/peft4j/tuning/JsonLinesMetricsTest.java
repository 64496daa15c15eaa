package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonLinesMetricsTest {

    @TempDir Path directory;
    private Path file;
    private JsonLinesMetrics metrics;

    @BeforeEach
    void open() {
        file = directory.resolve("metrics.jsonl");
        metrics = new JsonLinesMetrics(file);
    }

    private static TrainingStep step(int number, double loss) {
        return new TrainingStep(number, 9, loss, 0.5, 2, 10, 8, 100);
    }

    @Test
    void aLineHasTheNamesOfTransformersLogHistory() throws IOException {
        metrics.onStart(0, 9);
        metrics.onStep(step(1, 1.5));
        metrics.onEvaluation(
                1, new EvaluationResult(List.of(new EvaluationResult.Row(3, 2))), true);
        assertThat(Files.readAllLines(file))
                .containsExactly(
                        "{\"step\":1,\"loss\":1.5,\"grad_norm\":2.0,\"learning_rate\":0.5,"
                                + "\"tokens_per_second\":100.0,\"tokens\":10,\"labelled_tokens\":8}",
                        "{\"step\":1,\"eval_loss\":1.5,\"eval_perplexity\":4.4816890703380645,"
                                + "\"eval_tokens\":2,\"best\":true}");
    }

    @Test
    void aResumedRunGoesOnBehindItsStepAndForgetsWhatAKillCutOff() throws IOException {
        metrics.onStart(0, 9);
        for (int i = 1; i <= 4; i++) {
            metrics.onStep(step(i, i));
        }
        Files.writeString(file, Files.readString(file) + "{\"step\":5,\"lo");
        metrics.onStart(2, 9);
        metrics.onStep(step(3, 7));
        assertThat(Files.readAllLines(file))
                .hasSize(3)
                .last()
                .asString()
                .startsWith("{\"step\":3,\"loss\":7.0");
    }

    @Test
    void aNewRunBeginsAnew() throws IOException {
        Files.writeString(file, "{\"step\":1}\n");
        metrics.onStart(0, 9);
        assertThat(file).isEmptyFile();
    }

    @Test
    void anInterruptCostsNoLineAndANumberThatIsNotFiniteIsNull() throws IOException {
        metrics.onStart(0, 9);
        Thread.currentThread().interrupt();
        metrics.onStep(step(1, Double.NaN));
        assertThat(Thread.interrupted()).isTrue();
        assertThat(Files.readString(file)).startsWith("{\"step\":1,\"loss\":null,");
    }
}
