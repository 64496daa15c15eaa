package io.peft4j.adapters;

import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Rewrites a saved adapter with one of its tensors changed. */
final class SavedTensors {

    private SavedTensors() {}

    /** Adds to the first element of a tensor. */
    static void change(Path from, Path to, String key, float by) throws IOException {
        Map<String, TensorSource> tensors = read(from, key, by);
        SafetensorsWriter.write(
                to.resolve(AdapterFiles.TENSORS), tensors, SafetensorsWriter.PYTORCH);
        if (!from.equals(to)) {
            Files.copy(from.resolve(AdapterFiles.CONFIG), to.resolve(AdapterFiles.CONFIG));
        }
    }

    /** Adds a tensor of one element. */
    static void add(Path directory, String key) throws IOException {
        Map<String, TensorSource> tensors = read(directory, "", 0);
        tensors.put(key, TensorSources.ofFloats(Dtype.F32, new float[1], new long[] {1}));
        SafetensorsWriter.write(
                directory.resolve(AdapterFiles.TENSORS), tensors, SafetensorsWriter.PYTORCH);
    }

    private static Map<String, TensorSource> read(Path directory, String key, float by)
            throws IOException {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        try (SafetensorsFile file = SafetensorsFile.open(directory.resolve(AdapterFiles.TENSORS))) {
            for (String name : file.names()) {
                float[] values = file.toFloats(name);
                values[0] += name.equals(key) ? by : 0;
                long[] shape =
                        file.tensor(name).shape().stream().mapToLong(Long::longValue).toArray();
                tensors.put(name, TensorSources.ofFloats(Dtype.F32, values, shape));
            }
        }
        return tensors;
    }
}
