package io.peft4j.adapters;

import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An adapter as a directory in PEFT's format holds it, or as an {@link AdapterHost} would have
 * written it.
 *
 * @param config the settings
 * @param source what to call the tensors' file in messages, such as its path
 * @param tensors the tensors by PEFT's key, in file order
 */
public record SavedAdapter(PeftConfig config, String source, Map<String, Tensor> tensors) {

    /** Copies the map. */
    public SavedAdapter {
        tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
    }

    /**
     * A tensor that is read when its values are asked for.
     *
     * @param shape the size of each axis
     * @param values reads the elements, row by row
     */
    public record Tensor(List<Long> shape, Values values) {

        /** Copies the shape. */
        public Tensor {
            shape = List.copyOf(shape);
        }
    }

    /** Reads the elements of a tensor. */
    @FunctionalInterface
    public interface Values {

        /**
         * Reads them.
         *
         * @return the elements as float32; not to be changed
         * @throws IOException if the file cannot be read
         */
        float[] read() throws IOException;
    }

    /** What becomes of an adapter on its way from one directory to another. */
    @FunctionalInterface
    public interface Change {

        /**
         * Changes an adapter.
         *
         * @param saved the adapter
         * @return another
         * @throws IOException if it is not one that can be changed so, or cannot be read
         */
        SavedAdapter of(SavedAdapter saved) throws IOException;
    }

    /**
     * Writes a changed copy of a saved adapter, in float32, with its provenance if it has one. A
     * kill or a full disk at any moment leaves the target as it was.
     *
     * @param source a directory in PEFT's format
     * @param target where the copy goes; made if it does not exist
     * @param change what to write
     * @throws IOException if reading or writing fails, or the change refuses the adapter
     */
    public static void copy(Path source, Path target, Change change) throws IOException {
        try (OpenAdapter opened = OpenAdapter.open(source, null)) {
            Provenance provenance =
                    ProvenanceFile.read(source)
                            .map(ProvenanceFile::withoutFiles)
                            .map(Provenance::new)
                            .orElse(null);
            change.of(opened.content()).write(target, provenance);
        }
    }

    /**
     * Writes this adapter in float32. A kill or a full disk at any moment leaves the target as it
     * was.
     *
     * @param target the directory; made if it does not exist
     * @param provenance where the adapter comes from; null for none
     * @throws IOException if a tensor cannot be read or a file not be written
     */
    public void write(Path target, @Nullable Provenance provenance) throws IOException {
        Map<String, TensorSource> written = new LinkedHashMap<>();
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            Tensor tensor = entry.getValue();
            long[] shape = tensor.shape().stream().mapToLong(Long::longValue).toArray();
            written.put(
                    entry.getKey(),
                    TensorSources.ofFloats(Dtype.F32, tensor.values().read(), shape));
        }
        AdapterFiles.write(target, config, written, provenance);
    }

    boolean contains(String key) {
        return tensors.containsKey(key);
    }

    /** Reads the elements of a tensor that is there. */
    float[] values(String key) throws IOException {
        Tensor tensor = tensors.get(key);
        if (tensor == null) {
            throw new IllegalArgumentException(source + " has no tensor " + key);
        }
        return tensor.values().read();
    }
}
