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

/**
 * A float32 parameter on its way into a file, a few rows at a time.
 *
 * @param dtype the element type in the file
 * @param parameter the parameter
 */
record ParameterSource(Dtype dtype, Parameter parameter) implements TensorSource {

    @Override
    public List<Long> shape() {
        return TensorSource.shape(parameter.getShape().getShape());
    }

    @Override
    public void writeTo(WritableByteChannel channel) throws IOException {
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
