package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {

    @TempDir private Path directory;

    /** A tensor whose elements are their numbers. */
    private record Counting(List<Long> shape) implements TensorSource {

        @Override
        public Dtype dtype() {
            return Dtype.F32;
        }

        @Override
        public void writeTo(WritableByteChannel channel) throws IOException {
            float[] values = new float[(int) TensorSource.elementCount(shape)];
            for (int i = 0; i < values.length; i++) {
                values[i] = i;
            }
            TensorSources.ofFloats(Dtype.F32, values, values.length).writeTo(channel);
        }
    }

    @Test
    void aFusedTensorIsCutAtItsParametersWhereverItsPiecesEnd() throws IOException {
        Path file = directory.resolve("model.safetensors");
        long[] rows = {700, 30, 900, 1}; // more than one piece, within one, across two
        StoredTensor tensor = StoredTensor.of(List.of("a", "b", "c", "d"), 1, 1631, 1000);
        SafetensorsWriter.write(
                file, Map.of("all", new Counting(List.of(1L, 1631L, 1000L))), Map.of());
        try (SafetensorsFile reader = SafetensorsFile.open(file);
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            Map<String, NDArray> targets = new LinkedHashMap<>();
            for (int i = 0; i < rows.length; i++) {
                targets.put(tensor.parameters().get(i), manager.zeros(new Shape(rows[i], 1000)));
            }
            Checkpoint.copy(reader, Map.of("all", tensor), targets, manager);
            int next = 0;
            for (NDArray target : targets.values()) {
                for (float value : target.toFloatArray()) {
                    assertThat(value).isEqualTo(next++);
                }
            }
        }
    }
}
