package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Named float32 tensors of a checkpoint, written and read back in place, bit for bit. */
public final class TensorFile {

    private TensorFile() {}

    /**
     * Writes a file.
     *
     * @param file the file; replaced as a whole
     * @param arrays the tensors by name, float32
     * @throws IOException if writing fails
     */
    public static void save(Path file, Map<String, NDArray> arrays) throws IOException {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        arrays.forEach((name, array) -> tensors.put(name, new ArraySource(array)));
        SafetensorsWriter.write(file, tensors, SafetensorsWriter.PYTORCH);
    }

    /**
     * Fills the arrays; names and shapes must be the file's, else nothing changes.
     *
     * @param path the file
     * @param arrays the tensors to fill, by name
     * @throws IOException if it cannot be read or does not fit
     */
    public static void load(Path path, Map<String, NDArray> arrays) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(path);
                GradMode off = GradMode.disabled()) {
            for (Map.Entry<String, NDArray> entry : arrays.entrySet()) {
                Shape found = new Shape(file.tensor(entry.getKey()).shape());
                if (!found.equals(entry.getValue().getShape())) {
                    throw new IOException(
                            path
                                    + ": expected "
                                    + entry.getKey()
                                    + " of shape "
                                    + entry.getValue().getShape()
                                    + ", found "
                                    + found);
                }
            }
            if (file.names().size() != arrays.size()) {
                throw new IOException(
                        path
                                + ": expected "
                                + arrays.size()
                                + " tensors, found "
                                + file.names().size());
            }
            for (Map.Entry<String, NDArray> entry : arrays.entrySet()) {
                NDArray array = entry.getValue();
                try (NDArray copy =
                        array.getManager()
                                .create(file.toFloats(entry.getKey()), array.getShape())) {
                    Tensors.copy(copy, array);
                }
            }
        }
    }
}
