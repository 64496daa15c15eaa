package io.peft4j.adapters.contract;

import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A saved adapter whose tensors are tampered with. */
final class SavedAdapter {

    private final Path file;
    private final Map<String, TensorSource> tensors = new LinkedHashMap<>();

    SavedAdapter(Path directory) throws IOException {
        file = directory.resolve("adapter_model.safetensors");
        try (SafetensorsFile saved = SafetensorsFile.open(file)) {
            for (String name : saved.names()) {
                long[] shape = saved.tensor(name).shape().stream().mapToLong(n -> n).toArray();
                tensors.put(name, TensorSources.ofFloats(Dtype.F32, saved.toFloats(name), shape));
            }
        }
    }

    static List<String> files(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    List<String> keys() {
        return new ArrayList<>(tensors.keySet());
    }

    void remove(String key) throws IOException {
        tensors.remove(key);
        write();
    }

    /** Adds a tensor of two numbers. */
    void add(String key) throws IOException {
        reshape(key, 2);
    }

    /** Puts zeros of another shape in a tensor's place. */
    void reshape(String key, long... shape) throws IOException {
        int size = 1;
        for (long length : shape) {
            size *= Math.toIntExact(length);
        }
        tensors.put(key, TensorSources.ofFloats(Dtype.F32, new float[size], shape));
        write();
    }

    private void write() throws IOException {
        // as from elsewhere: a provenance tells that its tensors are others now
        Files.deleteIfExists(file.resolveSibling("adapter_provenance.json"));
        SafetensorsWriter.write(file, tensors);
    }
}
