package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A training that was stopped gives the files of one that was not, byte for byte. */
class ResumeTest {

    @TempDir Path directory;

    private static byte[] result(Path output, String method) throws IOException {
        return Files.readAllBytes(
                output.resolve(
                        method.equals("full") ? "model.safetensors" : "adapter_model.safetensors"));
    }

    private static int lines(Path file) throws IOException {
        return Files.readAllLines(file).size();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora", "full"})
    void anInterruptedTrainingGoesOnBitForBit(String method) throws IOException {
        Path whole = directory.resolve("whole");
        Path stopped = directory.resolve("stopped");
        TrainingProgram.train(method, whole);
        TrainingObserver interrupter =
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        if (step.step() == 5) {
                            Thread.currentThread().interrupt();
                        }
                    }
                };
        assertThatThrownBy(() -> TrainingProgram.train(method, stopped, interrupter))
                .isInstanceOf(TrainingInterruptedException.class)
                .hasMessageContaining("step-000005");
        assertThat(Thread.interrupted()).isTrue();
        Recorder recorder = new Recorder();
        TrainingProgram.train(method, stopped, recorder);
        assertThat(recorder.doneSteps).isEqualTo(5);
        assertThat(recorder.warnings).isEmpty();
        assertThat(result(stopped, method)).isEqualTo(result(whole, method));
        assertThat(Files.readAllLines(stopped.resolve("metrics.jsonl")))
                .hasSameSizeAs(Files.readAllLines(whole.resolve("metrics.jsonl")));
    }

    @Test
    void anInterruptBeforeTheFirstStepIsToldAsOne() throws IOException {
        TrainingObserver interrupter =
                new TrainingObserver() {
                    @Override
                    public void onSettings(Map<String, String> settings) {
                        Thread.currentThread().interrupt();
                    }
                };
        assertThatThrownBy(() -> TrainingProgram.train("lora", directory, interrupter))
                .isInstanceOf(TrainingInterruptedException.class)
                .hasMessageContaining("after step 0");
        assertThat(Thread.interrupted()).isTrue();
        assertThat(directory.resolve("metrics.jsonl")).isEmptyFile();
        assertThat(directory.resolve("adapter_model.safetensors")).doesNotExist();
    }

    @Test
    void aKilledProcessGoesOnBitForBitInAnother() throws IOException, InterruptedException {
        Path whole = directory.resolve("whole");
        Path killed = directory.resolve("killed");
        TrainingProgram.train("dora", whole);
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty(
                                        "surefire.test.class.path",
                                        System.getProperty("java.class.path")),
                                TrainingProgram.class.getName(),
                                "dora",
                                killed.toString(),
                                "7")
                        .redirectErrorStream(true)
                        .redirectOutput(new File(directory.toFile(), "log"))
                        .start();
        try {
            Path metrics = killed.resolve("metrics.jsonl");
            while (process.isAlive() && !(Files.exists(metrics) && lines(metrics) >= 8)) {
                Thread.sleep(20); // seven steps and an evaluation
            }
        } finally {
            process.destroyForcibly();
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        }
        Recorder recorder = new Recorder();
        TrainingProgram.train("dora", killed, recorder);
        assertThat(recorder.doneSteps).as(Files.readString(directory.resolve("log"))).isEqualTo(6);
        assertThat(result(killed, "dora")).isEqualTo(result(whole, "dora"));
    }

    @Test
    void aFinishedTrainingThatIsResumedExportsTheSameAgain() throws IOException {
        TrainingProgram.train("lora", directory);
        byte[] before = result(directory, "lora");
        Files.delete(directory.resolve("adapter_model.safetensors"));
        Recorder recorder = new Recorder();
        TrainingResult result = TrainingProgram.train("lora", directory, recorder);
        assertThat(recorder.steps).isEmpty();
        assertThat(result.heldOutLoss()).isPresent();
        assertThat(result(directory, "lora")).isEqualTo(before);
        assertThat(List.of(directory.resolve("checkpoints").toFile().list()))
                .contains("step-000012");
    }
}
