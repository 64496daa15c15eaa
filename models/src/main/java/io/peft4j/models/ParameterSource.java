package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.torch.GradMode;
import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Float32 parameters on their way into one tensor of a file, a few rows at a time.
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
            write(parameter, channel);
        }
    }

    private void write(Parameter parameter, WritableByteChannel channel) throws IOException {
        NDArray array = parameter.getArray();
        long size = array.size();
        int chunk = RowWriter.chunkElements(array.getShape());
        long row = RowWriter.rowElements(array.getShape());
        for (long first = 0; first < size; first += chunk) {
            int count = (int) Math.min(chunk, size - first);
            try (GradMode off = GradMode.disabled();
                    NDManager scope = array.getManager().newSubManager()) {
                NDArray rows = Kernels.rows(scope, array, first / row, (first + count) / row);
                float[] values = rows.toFloatArray();
                TensorSources.ofFloats(dtype, values, count).writeTo(channel);
            }
        }
    }
}
