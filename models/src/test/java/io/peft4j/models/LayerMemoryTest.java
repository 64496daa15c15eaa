package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What layers by kernels keep between passes, which is nothing, measured in a fresh process. */
@EnabledOnOs(OS.LINUX)
class LayerMemoryTest {

    private static final long MEGABYTE = 1 << 20;

    @TempDir private Path directory;

    /** What the child process runs: a family. It prints how many bytes it took over the passes. */
    static final class Child {

        private static final int ROWS = 4;
        private static final int TOKENS = 60;

        private Child() {}

        public static void main(String[] args) {
            try (CausalLm model = TinyModels.model(args[0]);
                    AdaptedModel adapted = TinyAdapters.attach(model, "dora", 0.1, "all-linear")) {
                passes(model, 30);
                long before = anonymous();
                passes(model, 100);
                System.out.println(anonymous() - before);
                System.out.println(model.wasByLayerKernels());
                System.out.println(adapted.adapter().parameters().size());
                long held = anonymous();
                model.freeStepMemory();
                System.out.println(held - anonymous());
                passes(model, 1);
            }
        }

        private static void passes(CausalLm model, int count) {
            for (int i = 0; i < count; i++) {
                try (NDManager scope = model.manager().newSubManager()) {
                    NDArray ids = TinyModels.ids(scope, i, ROWS, TOKENS);
                    NDArray mask = ids.gt(2).toType(ids.getDataType(), false);
                    model.backward(ids, mask, ids, 100);
                    model.rowLosses(ids, ids);
                    model.logits(scope, ids, mask);
                }
            }
        }

        private static long anonymous() {
            try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
                String line = lines.filter(l -> l.startsWith("RssAnon:")).findFirst().orElseThrow();
                return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** A hundred passes compute 200 MB of hidden states and more between their layers. */
    @ParameterizedTest
    @ValueSource(strings = {"biased", "mixtral"})
    void aHundredPassesLeaveNothingBehind(String family) throws Exception {
        Path output = directory.resolve("out");
        Process child =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "-XX:+UseSerialGC",
                                // the heap is the JVM's own: all of it is there from the start
                                "-Xms96m",
                                "-Xmx96m",
                                "-XX:+AlwaysPreTouch",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Child.class.getName(),
                                family)
                        .redirectOutput(output.toFile())
                        .redirectError(directory.resolve("err").toFile())
                        .start();
        assertThat(child.waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(child.exitValue())
                .as(Files.readString(directory.resolve("err"), StandardCharsets.UTF_8))
                .isZero();
        String[] lines = Files.readString(output).split("\n", -1);
        assertThat(lines[1]).isEqualTo("true");
        assertThat(Long.parseLong(lines[0])).isLessThan(6 * MEGABYTE);
        // what layers keep for backward stays from one pass to the next until it is freed
        assertThat(Long.parseLong(lines[3])).isGreaterThan(MEGABYTE / 2);
    }
}
