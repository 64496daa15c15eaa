package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.TensorInfo;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/** What PyTorch computed for the tiny models, and the tolerances within which we must agree. */
final class Golden implements AutoCloseable {

    static final double LOGITS = 2e-5;
    static final double LOSS = 1e-5;

    private final SafetensorsFile file;
    private final NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");

    private Golden(SafetensorsFile file) {
        this.file = file;
    }

    static Golden open(String name) {
        try {
            return new Golden(SafetensorsFile.open(TestData.path("golden/" + name)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Path model() {
        return TestData.path("golden/openelm/model");
    }

    static CausalLm load() {
        return load("openelm/model");
    }

    /** Loads a model's directory. */
    static CausalLm load(String name) {
        try {
            return CausalLm.load(TestData.path("golden/" + name), Device.cpu());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    List<String> names() {
        return file.names();
    }

    float[] floats(String name) {
        try {
            return file.toFloats(name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    long[] longs(String name) {
        try {
            return file.toLongs(name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns a tensor that lives as long as this object. */
    NDArray array(String name) {
        TensorInfo info = file.find(name);
        assertThat(info).as(name).isNotNull();
        Shape shape = new Shape(info.shape().stream().mapToLong(Long::longValue).toArray());
        return info.dtype().isFloat()
                ? manager.create(floats(name), shape)
                : manager.create(longs(name), shape);
    }

    NDManager manager() {
        return manager;
    }

    static void assertClose(String what, float[] actual, float[] expected, double tolerance) {
        assertClose(what, actual, expected, tolerance, 0);
    }

    static void assertClose(
            String what, float[] actual, float[] expected, double absolute, double relative) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            double allowed = absolute + relative * Math.abs(expected[i]);
            if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
                throw new AssertionError(
                        what
                                + "["
                                + i
                                + "]: expected "
                                + expected[i]
                                + " within "
                                + allowed
                                + ", found "
                                + actual[i]);
            }
        }
    }

    static void assertGradientClose(String what, float[] actual, float[] expected) {
        assertClose(what, actual, expected, 1e-5, 1e-4);
    }

    @Override
    public void close() {
        manager.close();
        try {
            file.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
