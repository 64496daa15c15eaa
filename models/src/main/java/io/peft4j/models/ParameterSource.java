package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.torch.ElementTransfer;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Parameters on their way into one tensor of a file, a few megabytes at a time: exactly where the
 * file's type is as wide as the model's, else rounded to the nearest value.
 *
 * @param dtype the element type in the file
 * @param shape the tensor's shape
 * @param parameters the parameters, one behind the other
 */
record ParameterSource(Dtype dtype, List<Long> shape, List<Parameter> parameters)
        implements TensorSource {

    static ParameterSource of(Dtype dtype, StoredTensor tensor, Map<String, Parameter> parameters) {
        return new ParameterSource(
                dtype,
                TensorSource.shape(tensor.shape().getShape()),
                tensor.parameters().stream()
                        .map(name -> Objects.requireNonNull(parameters.get(name), name))
                        .toList());
    }

    @Override
    public void writeTo(WritableByteChannel channel) throws IOException {
        for (Parameter parameter : parameters) {
            NDArray array = parameter.getArray();
            try (ElementTransfer transfer = new ElementTransfer(array.getManager())) {
                transfer.write(array, WeightTypes.of(dtype), channel);
            }
        }
    }
}
