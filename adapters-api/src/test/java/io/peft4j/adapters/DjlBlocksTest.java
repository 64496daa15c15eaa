package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Any block of DJL's, and any tree of them, is adapted like any other. */
class DjlBlocksTest {

    private final NDManager manager = NDManager.newBaseManager();

    static List<DjlBlocks> blocks() {
        return DjlBlocks.all();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void everySiteIsListed(DjlBlocks blocks) {
        assertThat(Adapters.sites(initialised(blocks)))
                .map(site -> site.kind() + " " + site.path() + " " + site.shape())
                .containsExactlyElementsOf(blocks.sites());
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void attachingChangesNoBitAndDetachingRestoresTheVeryTree(DjlBlocks blocks) throws Exception {
        Block base = initialised(blocks);
        NDList input = blocks.input().apply(manager);
        run(base, input, true); // some blocks initialise themselves again in training
        List<String> names = base.getParameters().keys();
        Map<String, float[]> values = values(base);
        TreeSnapshot tree = TreeSnapshot.of(base);
        base.freezeParameters(true); // libtorch has other kernels for frozen weights
        List<float[]> before = forward(base, input);
        AdaptedModel adapted = Adapters.attach(base, everywhere(base));
        assertBitEqual(forward(adapted.block(), input), before);
        randomise(adapted);
        assertThat(forward(adapted.block(), input).get(0)).isNotEqualTo(before.get(0));
        train(adapted.block(), input);
        adapted.close();

        tree.assertUnchanged();
        assertThat(base.getParameters().keys()).isEqualTo(names);
        values(base).forEach((name, v) -> assertThat(v).as(name).isEqualTo(values.get(name)));
        assertBitEqual(forward(base, input), before);
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void gradientsAreThoseOfTheChainRuleByTheEffectiveWeight(DjlBlocks blocks) {
        Block base = initialised(blocks);
        NDList input = blocks.input().apply(manager);
        AdaptedModel adapted = Adapters.attach(base, everywhere(base));
        randomise(adapted);
        List<float[]> output = train(adapted.block(), input);
        Map<String, float[]> gradients = gradients(adapted.adapter().parameters());
        List<Attachment> attachments = adapted.adapter().attachments();
        Map<Parameter, NDArray> merged = new LinkedHashMap<>();
        Map<String, NDArray[]> factors = new LinkedHashMap<>();
        for (Attachment attachment : attachments) {
            List<Parameter> pair = new ArrayList<>(attachment.state().parameters().values());
            NDArray a = Tensors.clone(manager, pair.get(0).getArray()); // (r, in)
            NDArray b = Tensors.clone(manager, pair.get(1).getArray()); // (out, r)
            factors.put(attachment.path(), new NDArray[] {a, b});
            NDArray delta = b.matMul(a).mul(MatrixUpdateConfig.SCALING);
            NDArray w = Tensors.clone(manager, attachment.weight().array());
            merged.put(
                    attachment.weight().parameter(),
                    w.add(stored(attachment.weight().site(), delta)));
        }
        adapted.close();
        merged.forEach((parameter, w) -> Tensors.copy(w, parameter.getArray()));
        merged.keySet().forEach(parameter -> parameter.freeze(false));

        assertClose("output", train(base, input).get(0), output.get(0));

        for (Attachment attachment : attachments) {
            Site site = attachment.weight().site();
            NDArray g = matrix(site, attachment.weight().array().getGradient()); // (out, in)
            NDArray[] pair = factors.get(attachment.path());
            String prefix = "base_model.model." + dotted(site.path());
            assertClose(
                    site.path() + " dA",
                    gradients.get(prefix + "lora_A.weight"),
                    pair[1].transpose().matMul(g).mul(MatrixUpdateConfig.SCALING).toFloatArray());
            assertClose(
                    site.path() + " dB",
                    gradients.get(prefix + "lora_B.weight"),
                    g.matMul(pair[0].transpose()).mul(MatrixUpdateConfig.SCALING).toFloatArray());
        }
    }

    @ParameterizedTest
    @MethodSource("blocks")
    void theFastFormEqualsTheEffectiveWeight(DjlBlocks blocks) {
        Block base = initialised(blocks);
        NDList input = blocks.input().apply(manager);
        List<List<float[]>> outputs = new ArrayList<>();
        List<Map<String, float[]>> gradients = new ArrayList<>();
        for (MatrixUpdateConfig config :
                List.of(everywhere(base), everywhere(base).withoutFastForm())) {
            try (AdaptedModel adapted = Adapters.attach(base, config)) {
                Engine.getEngine("PyTorch").setRandomSeed(5);
                randomise(adapted);
                outputs.add(train(adapted.block(), input));
                gradients.add(gradients(adapted.adapter().parameters()));
            }
        }
        assertClose("output", outputs.get(0).get(0), outputs.get(1).get(0));
        gradients.get(0).forEach((key, g) -> assertClose(key, g, gradients.get(1).get(key)));
    }

    private static String dotted(String path) {
        return path.isEmpty() ? "" : path + ".";
    }

    private Block initialised(DjlBlocks blocks) {
        Engine.getEngine("PyTorch").setRandomSeed(1);
        Block base = blocks.block().get();
        try (NDManager scope = manager.newSubManager()) {
            base.initialize(manager, DataType.FLOAT32, blocks.input().apply(scope).getShapes());
        }
        for (Parameter parameter : base.getParameters().values()) {
            if (parameter.getType() == Parameter.Type.BIAS) {
                move(parameter);
            }
        }
        return base;
    }

    private static MatrixUpdateConfig everywhere(Block base) {
        List<String> paths = Adapters.sites(base).stream().map(Site::path).toList();
        if (paths.equals(List.of(""))) { // the root has no name, but it is a linear layer
            return new MatrixUpdateConfig(2, TargetModules.parse("all-linear"), true, 0);
        }
        return MatrixUpdateConfig.of(2, paths.toArray(String[]::new));
    }

    private static void randomise(AdaptedModel adapted) {
        adapted.adapter().parameters().values().forEach(DjlBlocksTest::move);
    }

    private static void move(Parameter parameter) {
        NDArray array = parameter.getArray();
        try (GradMode off = GradMode.disabled();
                NDArray noise =
                        array.getManager()
                                .randomNormal(0, 0.3f, array.getShape(), DataType.FLOAT32);
                NDArray moved = noise.add(array)) {
            Tensors.copy(moved, array);
        }
    }

    private List<float[]> forward(Block block, NDList input) {
        return run(block, input, false).stream().map(NDArray::toFloatArray).toList();
    }

    /** A forward in training and the backward of a sum with fixed weights, dropout repeated. */
    private List<float[]> train(Block block, NDList input) {
        try (GradMode on = GradMode.enabled()) {
            Engine.getEngine("PyTorch").setRandomSeed(3);
            NDList outputs = run(block, input, true);
            Engine.getEngine("PyTorch").setRandomSeed(4);
            List<float[]> values = outputs.stream().map(NDArray::toFloatArray).toList();
            NDArray loss = manager.zeros(new ai.djl.ndarray.types.Shape());
            for (NDArray y : outputs) {
                loss = loss.add(y.mul(manager.randomNormal(y.getShape())).sum());
            }
            Gradients.backward(loss);
            return values;
        }
    }

    private NDList run(Block block, NDList input, boolean training) {
        NDList own = new NDList(input); // recurrent blocks add their states to the list
        return block.forward(new ParameterStore(manager, false), own, training);
    }

    private static Map<String, float[]> gradients(Map<String, Parameter> parameters) {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        parameters.forEach(
                (key, p) -> gradients.put(key, p.getArray().getGradient().toFloatArray()));
        return gradients;
    }

    static Map<String, float[]> values(Block base) {
        Map<String, float[]> values = new LinkedHashMap<>();
        base.getParameters()
                .forEach(p -> values.put(p.getKey(), p.getValue().getArray().toFloatArray()));
        return values;
    }

    private static NDArray matrix(Site site, NDArray weight) {
        return switch (site.kind()) {
            case LINEAR, MATRIX -> weight;
            case CONV, GROUPED_CONV -> weight.reshape(weight.getShape().get(0), -1);
            case EMBEDDING -> weight.transpose();
        };
    }

    private static NDArray stored(Site site, NDArray matrix) {
        return site.kind() == Site.Kind.EMBEDDING
                ? matrix.transpose()
                : matrix.reshape(site.shape());
    }

    private static void assertBitEqual(List<float[]> actual, List<float[]> expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.size(); i++) {
            assertThat(actual.get(i)).as("output %d", i).isEqualTo(expected.get(i));
        }
    }

    private static void assertClose(String what, float[] actual, float[] expected) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i])
                    .as("%s[%d]", what, i)
                    .isCloseTo(expected[i], within(1e-5f + 1e-5f * Math.abs(expected[i])));
        }
    }
}
