package io.peft4j.adapters;

import ai.djl.nn.Block;
import io.peft4j.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A saved adapter in the names of a model, whose tensors can be read until it is closed. */
final class OpenAdapter implements AutoCloseable {

    private final SafetensorsFile file;
    private final SavedAdapter content;

    private OpenAdapter(SafetensorsFile file, SavedAdapter content) {
        this.file = file;
        this.content = content;
    }

    /**
     * Opens a directory.
     *
     * @param directory a directory in PEFT's format
     * @param base the model, which may have names of its own for its modules; null for the file's
     */
    static OpenAdapter open(Path directory, @Nullable Block base) throws IOException {
        PeftConfig config = AdapterFiles.readConfig(directory);
        SafetensorsFile file = AdapterFiles.openTensors(directory);
        try {
            Map<String, SavedAdapter.Tensor> tensors = new LinkedHashMap<>();
            for (String name : file.names()) {
                tensors.put(
                        name,
                        new SavedAdapter.Tensor(
                                file.tensor(name).shape(), () -> file.toFloats(name)));
            }
            SavedAdapter saved = new SavedAdapter(config, file.path().toString(), tensors);
            return new OpenAdapter(
                    file, base instanceof AdapterHost host ? host.inOwnNames(saved) : saved);
        } catch (IOException | RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    SavedAdapter content() {
        return content;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
