package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.files.UnsafePathException;
import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardedSafetensorsTest {

    @TempDir Path folder;

    @BeforeEach
    void twoShards() throws IOException {
        write("s1.safetensors", "a", "b");
        write("s2.safetensors", "c");
    }

    @Test
    void tensorsAreFoundInTheirShards() throws IOException {
        index(Map.of("a", "s1.safetensors", "b", "s1.safetensors", "c", "s2.safetensors"));

        try (ShardedSafetensors model = ShardedSafetensors.open(folder)) {
            assertThat(model.names()).containsExactly("a", "b", "c");
            assertThat(model.toFloats("c")).containsExactly('c');
            assertThat(model.tensor("c").shape()).containsExactly(1L);
            assertThat(model.metadata()).containsEntry("format", "pt");
            assertThat(model.path()).isEqualTo(folder);
            assertThatThrownBy(() -> model.tensor("d"))
                    .hasMessageContaining("expected a tensor \"d\", found none");
        }
    }

    @Test
    void aSingleFileNeedsNoIndexAndAnyBaseNameWorks() throws IOException {
        write("adapter_model.safetensors", "x");

        try (ShardedSafetensors adapter = ShardedSafetensors.open(folder, "adapter_model")) {
            assertThat(adapter.toFloats("x")).containsExactly('x');
        }
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        index(Map.of("a", "s1.safetensors", "b", "s1.safetensors", "c", "s3.safetensors"));

        refused(Reason.MISSING_SHARD, "s3.safetensors");
    }

    @Test
    void aTensorThatItsShardLacksIsNamed() throws IOException {
        index(Map.of("a", "s1.safetensors", "b", "s1.safetensors", "d", "s2.safetensors"));

        refused(Reason.SHARD_MISMATCH, "\"d\"");
    }

    @Test
    void aTensorThatTheIndexLacksIsNamed() throws IOException {
        index(Map.of("a", "s1.safetensors", "c", "s2.safetensors"));

        refused(Reason.SHARD_MISMATCH, "\"b\"");
    }

    @Test
    void aTensorInTwoShardsIsNamed() throws IOException {
        write("s2.safetensors", "b", "c");
        index(Map.of("a", "s1.safetensors", "b", "s1.safetensors", "c", "s2.safetensors"));

        refused(Reason.SHARD_MISMATCH, "\"b\": expected in one shard");
    }

    @Test
    void aShardOutsideTheDirectoryIsRefused() throws IOException {
        for (String name : new String[] {"../s1.safetensors", "/etc/passwd", "C:\\x", ""}) {
            index(Map.of("a", name.replace("\\", "\\\\")));

            assertThatThrownBy(() -> ShardedSafetensors.open(folder))
                    .isInstanceOf(UnsafePathException.class);
        }
    }

    @Test
    void anIndexThatIsNoIndexIsRefused() throws IOException {
        for (String text :
                new String[] {
                    "",
                    "[]",
                    "{}",
                    "{\"weight_map\":[]}",
                    "{\"weight_map\":{\"a\":1}}",
                    "{\"weight_map\":{\"a\":\"s1.safetensors\",\"a\":\"s1.safetensors\"}}",
                    "{\"weight_map\":null}",
                    "{\"weight_map\":{\"a\":[[[[[[[[[]]]]]]]]]}}"
                }) {
            Files.writeString(folder.resolve("model.safetensors.index.json"), text);

            refused(Reason.INVALID_INDEX, "index.json");
        }
    }

    @Test
    void aDirectoryWithoutModelSaysWhatWasExpected() throws IOException {
        refused(Reason.NO_MODEL_FILE, "expected model.safetensors or model.safetensors.index.json");
        assertThatThrownBy(() -> ShardedSafetensors.open(folder.resolve("missing")))
                .hasMessageContaining("no such directory");
        assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("missing.safetensors")))
                .isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void aDirectoryWithAPickleSaysHowToConvertIt() throws IOException {
        Files.write(folder.resolve("pytorch_model.bin"), new byte[] {'P', 'K', 3, 4});

        refused(Reason.PICKLE, "torch.load(\"pytorch_model.bin\"");
    }

    @Test
    void aPickleInTheIndexIsRefused() throws IOException {
        Files.write(folder.resolve("s3.bin"), new byte[] {'P', 'K', 3, 4});
        index(Map.of("a", "s3.bin"));

        refused(Reason.PICKLE, "save_file");
    }

    private void refused(Reason reason, String part) {
        assertThatThrownBy(() -> ShardedSafetensors.open(folder))
                .isInstanceOfSatisfying(
                        SafetensorsException.class, e -> assertThat(e.reason()).isEqualTo(reason))
                .hasMessageContaining(part);
    }

    private void index(Map<String, String> shardOf) throws IOException {
        String map =
                shardOf.entrySet().stream()
                        .map(e -> "\"" + e.getKey() + "\":\"" + e.getValue() + "\"")
                        .collect(Collectors.joining(","));
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"metadata\":{\"total_size\":12},\"weight_map\":{" + map + "}}");
    }

    private void write(String name, String... tensors) throws IOException {
        SafetensorsWriter.write(
                folder.resolve(name),
                Stream.of(tensors)
                        .collect(
                                Collectors.toMap(
                                        t -> t,
                                        t ->
                                                TensorSources.ofFloats(
                                                        Dtype.F32, new float[] {t.charAt(0)}, 1))));
    }
}
