package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.safetensors.TensorInfo;
import io.peft4j.safetensors.TensorReader;
import java.io.IOException;

/** The tensors of a file: name, type and shape. */
final class TensorFacts {

    private TensorFacts() {}

    static JsonArray of(TensorReader file) throws IOException {
        JsonArray tensors = new JsonArray();
        for (String name : file.names()) {
            TensorInfo info = file.tensor(name);
            JsonObject tensor = new JsonObject();
            tensor.addProperty("tensor", name);
            tensor.addProperty("dtype", info.dtype().torchName());
            JsonArray shape = new JsonArray();
            info.shape().forEach(shape::add);
            tensor.add("shape", shape);
            tensors.add(tensor);
        }
        return tensors;
    }

    static long elements(TensorReader file) throws IOException {
        long elements = 0;
        for (String name : file.names()) {
            elements = Math.addExact(elements, file.tensor(name).elementCount());
        }
        return elements;
    }
}
