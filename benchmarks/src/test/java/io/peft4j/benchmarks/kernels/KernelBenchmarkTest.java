package io.peft4j.benchmarks.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is timed is the same work. */
final class KernelBenchmarkTest {

    private static final int TOKENS = 16;

    private static KernelBenchmark linear(String method) {
        LinearBenchmark benchmark = new LinearBenchmark();
        benchmark.tokens = TOKENS;
        benchmark.method = method;
        return benchmark;
    }

    static Stream<KernelBenchmark> benchmarks() {
        AttentionBenchmark attention = new AttentionBenchmark();
        attention.tokens = TOKENS;
        FeedForwardBenchmark feedForward = new FeedForwardBenchmark();
        feedForward.tokens = TOKENS;
        HeadBenchmark head = new HeadBenchmark();
        head.tokens = TOKENS;
        head.vocabulary = 100;
        head.chunk = 7;
        return Stream.of(linear("lora"), linear("dora"), attention, feedForward, head);
    }

    @ParameterizedTest
    @MethodSource("benchmarks")
    void aKernelAndPlainDjlGiveTheSameGradient(KernelBenchmark benchmark) {
        benchmark.setUp();
        try (NDManager scope = NDManager.newBaseManager()) {
            for (int i = 0; i < 2; i++) { // a second run begins as the first did
                float[] byKernel = benchmark.byKernel(scope).toFloatArray();
                float[] plain = benchmark.byPlainDjl(scope).toFloatArray();
                double largest = 0;
                for (float value : plain) {
                    largest = Math.max(largest, Math.abs(value));
                }
                assertThat(byKernel).hasSameSizeAs(plain);
                assertThat(largest).isPositive();
                for (int j = 0; j < plain.length; j++) {
                    assertThat((double) byKernel[j]).isCloseTo(plain[j], within(2e-5 * largest));
                }
            }
        } finally {
            benchmark.tearDown();
        }
    }

    @Test
    void jmhFindsThemAll() throws Exception {
        try (InputStream list =
                Objects.requireNonNull(
                        KernelBenchmark.class.getResourceAsStream("/META-INF/BenchmarkList"))) {
            String text = new String(list.readAllBytes(), StandardCharsets.UTF_8);
            for (String name :
                    new String[] {"AdamW", "Attention", "FeedForward", "Head", "Linear"}) {
                assertThat(text).contains("kernels." + name + "Benchmark");
            }
        }
    }
}
