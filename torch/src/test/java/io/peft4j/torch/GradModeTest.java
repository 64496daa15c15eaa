package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.training.GradientCollector;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class GradModeTest {

    @Test
    void scopesNestAndPutBackWhatWas() {
        boolean before = GradMode.isRecording();
        try (GradMode on = GradMode.enabled()) {
            try (GradMode off = GradMode.disabled()) {
                assertThat(GradMode.isRecording()).isFalse();
            }
            assertThat(GradMode.isRecording()).isTrue();
        }
        assertThat(GradMode.isRecording()).isEqualTo(before);
    }

    @Test
    void howAThreadStartsIsNotAskedFor() throws Exception {
        assertThat(elsewhere(GradMode::isRecording)).isTrue();
        assertThat(elsewhere(GradModeTest::recordsAsAskedFor)).isFalse();
    }

    @Test
    void aScopeAroundAndDjlsCollectorAskForRecording() throws Exception {
        try (GradMode on = GradMode.enabled()) {
            assertThat(recordsAsAskedFor()).isTrue();
            try (GradMode off = GradMode.disabled()) {
                assertThat(recordsAsAskedFor()).isFalse();
            }
            assertThat(recordsAsAskedFor()).isTrue();
        }
        boolean collected =
                elsewhere(
                        () -> {
                            try (GradientCollector collector =
                                    Engine.getEngine("PyTorch").newGradientCollector()) {
                                return recordsAsAskedFor();
                            }
                        });
        assertThat(collected).isTrue();
        assertThat(elsewhere(GradModeTest::recordsAsAskedFor)).isFalse();
    }

    private static boolean recordsAsAskedFor() {
        try (GradMode mode = GradMode.asAskedFor()) {
            return GradMode.isRecording();
        }
    }

    private static boolean elsewhere(Supplier<Boolean> question)
            throws InterruptedException, ExecutionException {
        return CompletableFuture.supplyAsync(question, task -> new Thread(task).start()).get();
    }
}
