package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingStep;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

final class TrainingProgressTest {

    private final StringWriter text = new StringWriter();

    @Test
    void elsewhereThanOnATerminalThereAreLinesNowAndThen() {
        train(false, true);
        assertThat(text.toString().lines().map(TrainingProgressTest::withoutMemory))
                .containsExactly(
                        "lora r8: step 1/3  loss 2.5000  learning rate 0.000200  1,500 tokens/s "
                                + " left 0:00",
                        "lora r8: step 3/3  loss 2.5000  learning rate 0.000200  1,500 tokens/s "
                                + " left 0:00",
                        "lora r8: step 3/3  held-out loss 2.0000  (best)",
                        "lora r8: checkpoint run/step-000003");
    }

    @Test
    void ofAnswersTheRewardIsTold() {
        try (TrainingProgress progress =
                new TrainingProgress(new PrintWriter(text, true), "ppo", false, true)) {
            progress.onStart(0, 3);
            progress.onEvaluation(
                    2,
                    new EvaluationResult(
                            List.of(new EvaluationResult.Row(-0.875, 1)), Map.of("reward", 0.875)),
                    true);
        }
        assertThat(text.toString()).isEqualTo("ppo: step 2/3  held-out reward 0.8750  (best)\n");
    }

    private static String withoutMemory(String line) {
        return line.replaceFirst("  \\d+\\.\\d\\d GB$", "");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aLineTellsTheMemoryThatTheProcessHolds() {
        train(false, false);
        assertThat(text.toString().lines().findFirst().orElseThrow())
                .matches(".* left 0:00  \\d+\\.\\d\\d GB");
        double bytes = MemoryInUse.of(Device.cpu()).orElseThrow();
        assertThat(bytes).isBetween(5e7, 3e10);
    }

    @Test
    void onATerminalABarHasLossAndSpeed() {
        train(true, false);
        assertThat(text.toString())
                .contains("\r")
                .contains("3/3")
                .contains("3/3  left 0:00  loss 2.5000  1,500 tok/s")
                .contains("lora r8: step 3/3  held-out loss 2.0000  (best)\n")
                .doesNotContain("checkpoint");
        assertThat(text.toString().split("[\r\n]"))
                .allSatisfy(line -> assertThat(line).hasSizeLessThan(80));
    }

    private void train(boolean terminal, boolean checkpoints) {
        try (TrainingProgress progress =
                new TrainingProgress(
                        new PrintWriter(text, true), "lora r8", terminal, checkpoints)) {
            progress.onStart(0, 3);
            for (int step = 1; step <= 3; step++) {
                progress.onStep(new TrainingStep(step, 3, 2.5, 2e-4, 1, 100, 50, 1500));
            }
            progress.onEvaluation(
                    3, new EvaluationResult(List.of(new EvaluationResult.Row(4, 2))), true);
            progress.onCheckpoint(3, Path.of("run/step-000003"));
        }
    }
}
