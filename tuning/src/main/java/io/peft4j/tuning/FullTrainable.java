package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Trains all weights of a model; the result is a Hugging Face directory in float32.
 *
 * @param model the model, without an adapter
 */
public record FullTrainable(CausalLm model) implements Trainable {

    private static final String TENSORS = "model.safetensors";

    @Override
    public Map<String, Parameter> parameters() {
        return model.parameters();
    }

    @Override
    public Map<String, String> settings() {
        return Map.of("method", "full");
    }

    @Override
    public void save(Path directory) throws IOException {
        TensorFile.save(directory.resolve(TENSORS), arrays());
    }

    @Override
    public void load(Path directory) throws IOException {
        TensorFile.load(directory.resolve(TENSORS), arrays());
    }

    @Override
    public void export(Path output) throws IOException {
        model.save(output, Dtype.F32);
    }

    private Map<String, NDArray> arrays() {
        Map<String, NDArray> arrays = new LinkedHashMap<>();
        model.parameters().forEach((name, parameter) -> arrays.put(name, parameter.getArray()));
        return arrays;
    }
}
