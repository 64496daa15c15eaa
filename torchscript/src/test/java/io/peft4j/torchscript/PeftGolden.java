package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.TensorInfo;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code make_torchscript.py} recorded of one case under real PEFT. */
final class PeftGolden {

    final Path directory;
    private final Map<String, NDArray> arrays = new LinkedHashMap<>();

    PeftGolden(NDManager manager, String name) throws IOException {
        directory = TestData.path("golden/torchscript/" + name);
        try (SafetensorsFile file = SafetensorsFile.open(directory.resolve("golden.safetensors"))) {
            for (String tensor : file.names()) {
                arrays.put(tensor, read(manager, file, file.find(tensor)));
            }
        }
    }

    private static NDArray read(NDManager manager, SafetensorsFile file, TensorInfo tensor)
            throws IOException {
        ByteBuffer bytes =
                ByteBuffer.allocateDirect((int) tensor.byteCount()).order(ByteOrder.LITTLE_ENDIAN);
        file.read(tensor, 0, bytes);
        bytes.rewind();
        DataType type =
                switch (tensor.dtype().torchName()) {
                    case "int64" -> DataType.INT64;
                    case "float16" -> DataType.FLOAT16;
                    default -> DataType.FLOAT32;
                };
        Shape shape = new Shape(tensor.shape());
        try (NDArray inJava = manager.create(bytes, shape, type)) {
            return Tensors.clone(manager, inJava);
        }
    }

    static Path archive(String name) {
        return TestData.path("golden/torchscript/" + name + ".pt");
    }

    NDArray get(String name) {
        return arrays.get(name);
    }

    NDList inputs() {
        NDList inputs = new NDList();
        for (int i = 0; arrays.containsKey("in." + i); i++) {
            inputs.add(arrays.get("in." + i));
        }
        return inputs;
    }

    /** Tensors of a kind by PEFT's key, such as those named {@code grad.KEY}. */
    Map<String, NDArray> all(String kind) {
        Map<String, NDArray> all = new LinkedHashMap<>();
        arrays.forEach(
                (name, array) -> {
                    if (name.startsWith(kind + ".")) {
                        all.put(name.substring(kind.length() + 1), array);
                    }
                });
        return all;
    }

    /** How far PEFT's tensors of one kind are from those of another. */
    double distance(String kind, String from) {
        return arrays.containsKey(kind)
                ? distance(Map.of("", get(kind)), Map.of("", get(from)))
                : distance(all(kind), all(from));
    }

    /** The root of the sum of squared differences, over all tensors. */
    static double distance(Map<String, NDArray> some, Map<String, NDArray> others) {
        assertThat(some.keySet()).isEqualTo(others.keySet());
        double sum = 0;
        for (Map.Entry<String, NDArray> one : some.entrySet()) {
            float[] a = Tensors.toFloats(one.getValue());
            float[] b = Tensors.toFloats(others.get(one.getKey()));
            for (int i = 0; i < a.length; i++) {
                sum += ((double) a[i] - b[i]) * (a[i] - b[i]);
            }
        }
        return Math.sqrt(sum);
    }

    /** Compares, relative to the largest of the expected numbers if that is above one. */
    static void assertClose(String what, NDArray actual, NDArray expected, double bound) {
        float[] found = Tensors.toFloats(actual);
        float[] wanted = Tensors.toFloats(expected);
        assertThat(actual.getShape()).as(what).isEqualTo(expected.getShape());
        double scale = 1;
        for (float value : wanted) {
            scale = Math.max(scale, Math.abs(value));
        }
        for (int i = 0; i < wanted.length; i++) {
            assertThat(found[i])
                    .as("%s[%d]", what, i)
                    .isCloseTo(wanted[i], within((float) (bound * scale)));
        }
    }
}
