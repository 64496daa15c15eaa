package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.Dropout;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * A bigram model of ten tokens, logits = head · dropout(embedding of the token before), and a
 * parameter that nothing uses.
 */
final class TinyModel implements LanguageModel, Trainable, AutoCloseable {

    static final int VOCABULARY = 10;
    private static final int WIDTH = 6;

    private final NDManager manager = NDManager.newBaseManager("PyTorch");
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final float dropout;
    int backwards;
    int backwardsWhenFreed;
    Runnable beforeBackward = () -> {};

    TinyModel(float dropout) {
        this.dropout = dropout;
        Random random = new Random(1);
        for (String name : new String[] {"embedding", "head", "unused"}) {
            float[] values = new float[VOCABULARY * WIDTH];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (random.nextGaussian() / 2);
            }
            parameters.put(
                    name, GoldenJson.parameter(manager, new Shape(VOCABULARY, WIDTH), values));
        }
    }

    @Override
    public NDManager manager() {
        return manager;
    }

    @Override
    public void freeStepMemory() {
        backwardsWhenFreed = backwards;
    }

    @Override
    public double[] rowLosses(NDArray ids, NDArray labels) {
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager.newSubManager()) {
            return sums(losses(scope, ids, labels, false));
        }
    }

    @Override
    public double[] backward(NDArray ids, NDArray labels, double divisor) {
        backwards++;
        beforeBackward.run();
        try (GradMode recording = GradMode.enabled();
                NDManager scope = manager.newSubManager()) {
            NDArray losses = losses(scope, ids, labels, true);
            Gradients.backward(losses.sum().div(divisor));
            return sums(losses);
        }
    }

    private NDArray losses(NDManager scope, NDArray ids, NDArray labels, boolean training) {
        try (NDManager inner = scope.newSubManager()) {
            NDArray x = ids.oneHot(VOCABULARY);
            x.attach(inner);
            x = x.matMul(parameters.get("embedding").getArray());
            if (training && dropout > 0) {
                x = Dropout.dropout(x, dropout, true).singletonOrThrow();
            }
            NDList logits = Linear.linear(x, parameters.get("head").getArray());
            NDArray logProbabilities = logits.singletonOrThrow().logSoftmax(2);
            NDArray before = logProbabilities.get(":, :-1");
            NDArray wanted = labels.get(":, 1:");
            wanted.attach(inner);
            NDArray known = wanted.gte(0);
            NDArray oneHot = wanted.maximum(0).oneHot(VOCABULARY).mul(known.expandDims(2));
            NDArray losses = before.mul(oneHot).sum(new int[] {1, 2}).neg();
            losses.attach(scope);
            return losses;
        }
    }

    private static double[] sums(NDArray losses) {
        float[] values = losses.toFloatArray();
        double[] sums = new double[values.length];
        for (int i = 0; i < sums.length; i++) {
            sums[i] = values[i];
        }
        return sums;
    }

    float[] values() {
        return parameters.get("embedding").getArray().toFloatArray();
    }

    void poison() {
        try (GradMode off = GradMode.disabled()) {
            parameters.get("head").getArray().muli(Float.NaN);
        }
    }

    @Override
    public Map<String, Parameter> parameters() {
        return parameters;
    }

    private Map<String, NDArray> arrays() {
        Map<String, NDArray> arrays = new TreeMap<>();
        parameters.forEach((name, parameter) -> arrays.put(name, parameter.getArray()));
        return arrays;
    }

    @Override
    public Map<String, String> settings() {
        return Map.of("dropout", String.valueOf(dropout));
    }

    @Override
    public void save(Path directory) throws IOException {
        TensorFile.save(directory.resolve("tiny.safetensors"), arrays());
    }

    @Override
    public void load(Path directory) throws IOException {
        TensorFile.load(directory.resolve("tiny.safetensors"), arrays());
    }

    @Override
    public void export(Path output) throws IOException {
        save(output);
    }

    @Override
    public void close() {
        manager.close();
    }
}
