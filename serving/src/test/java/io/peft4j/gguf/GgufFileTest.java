package io.peft4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {

    @TempDir private Path directory;

    private Path file() {
        return directory.resolve("file.gguf");
    }

    @Test
    void whatIsWrittenIsReadByTheSpecification() throws Exception {
        float[] three = {1.5f, -2f, 3e-38f};
        new GgufFile()
                .add("general.type", "adapter")
                .add("text", "zwölf Äpfel \uD83C\uDF4E")
                .add("empty", "")
                .add("whole", Integer.MAX_VALUE)
                .add("number", 0.1f)
                .add("first", three, 3)
                .add("second", new float[] {1, 2, 3, 4, 5, 6}, 2, 3)
                .add("cube", new float[24], 2, 3, 4)
                .write(file());
        GgufReader found = GgufReader.read(file());
        assertThat(found.settings())
                .containsEntry("general.type", "adapter")
                .containsEntry("text", "zwölf Äpfel \uD83C\uDF4E")
                .containsEntry("empty", "")
                .containsEntry("whole", Integer.MAX_VALUE)
                .containsEntry("number", 0.1f)
                .hasSize(5);
        assertThat(found.tensors().get("first"))
                .isEqualTo(new GgufReader.Tensor(List.of(3L), List.of(1.5f, -2f, 3e-38f)));
        assertThat(found.tensors().get("second").sizes()).containsExactly(3L, 2L);
        assertThat(found.tensors().get("second").values()).containsExactly(1f, 2f, 3f, 4f, 5f, 6f);
        assertThat(found.tensors().get("cube").sizes()).containsExactly(4L, 3L, 2L);
        assertThat(Files.size(file()) % 32).isZero();
    }

    @Test
    void aFileWithoutTensorsAndOneBeyondTheBufferAreWhole() throws Exception {
        new GgufFile().write(file());
        assertThat(GgufReader.read(file()).tensors()).isEmpty();
        float[] many = new float[50_001];
        for (int i = 0; i < many.length; i++) {
            many[i] = i;
        }
        new GgufFile().add("text", "x".repeat(70_000)).add("many", many, many.length).write(file());
        GgufReader found = GgufReader.read(file());
        assertThat(found.settings().get("text").toString()).hasSize(70_000);
        assertThat(found.tensors().get("many").values().get(50_000)).isEqualTo(50_000f);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a b", "tab\t", "zero\0", "umlaut-ä", "line\n"})
    void aNameThatGgmlCouldNotHoldIsRefused(String name) {
        assertThatThrownBy(() -> new GgufFile().add(name, new float[1], 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("63 visible ASCII characters");
    }

    @Test
    void aNameHasAtMost63Bytes() {
        new GgufFile().add("n".repeat(63), new float[1], 1);
        assertThatThrownBy(() -> new GgufFile().add("n".repeat(64), new float[1], 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("64 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "General", "a..b", ".a", "a.", "a b", "ä", "a\0"})
    void aMalformedKeyIsRefused(String key) {
        assertThatThrownBy(() -> new GgufFile().add(key, "value"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("general.type");
    }

    @Test
    void namesAndKeysAreGivenOnce() {
        GgufFile file = new GgufFile().add("key", 1).add("tensor", new float[1], 1);
        assertThatThrownBy(() -> file.add("key", "again")).hasMessageContaining("key is there");
        assertThatThrownBy(() -> file.add("tensor", new float[1], 1))
                .hasMessageContaining("tensor tensor already");
    }

    @Test
    void aShapeThatDoesNotFitItsValuesIsRefused() {
        GgufFile file = new GgufFile();
        assertThatThrownBy(() -> file.add("t", new float[5], 2, 3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("[2, 3] has 6 elements, but 5");
        assertThatThrownBy(() -> file.add("t", new float[0], 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("at least 1");
        assertThatThrownBy(() -> file.add("t", new float[1]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 4 axes");
        assertThatThrownBy(() -> file.add("t", new float[1], 1, 1, 1, 1, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 4 axes");
        assertThatThrownBy(() -> file.add("t", new float[1], Long.MAX_VALUE, 2))
                .isInstanceOf(ArithmeticException.class);
    }

    @Test
    void numbersThatAreNoneAreRefusedAndNothingIsWritten() {
        GgufFile file = new GgufFile();
        assertThatThrownBy(() -> file.add("t", new float[] {1, Float.NaN}, 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("element 1");
        assertThatThrownBy(() -> file.add("k", Float.POSITIVE_INFINITY))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("finite");
        assertThatThrownBy(() -> file.add("k", -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("negative");
        assertThat(file()).doesNotExist();
    }

    @Test
    void aFailingWriteLeavesTheOldFile() throws Exception {
        new GgufFile().add("key", "old").write(file());
        Path missing = directory.resolve("none").resolve("file.gguf");
        assertThatThrownBy(() -> new GgufFile().write(missing))
                .isInstanceOf(java.io.IOException.class);
        assertThat(GgufReader.read(file()).settings()).containsEntry("key", "old");
        try (var entries = Files.list(directory)) {
            assertThat(entries).containsExactly(file());
        }
    }
}
