package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.TensorInfo;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A golden of PEFT about what an adapter trains itself (biases, whole modules, token rows, tied
 * embeddings), checked from its file to its file: load, off, on, gradients, merge, unmerge, save.
 */
public final class OwnGolden implements AutoCloseable {

    private static final float TOLERANCE = 5e-6f;

    private final String name;
    private final Path directory;
    private final SafetensorsFile golden;
    private final NDManager manager = NDManager.newBaseManager();
    private final BlockNet net;

    private OwnGolden(String name) throws IOException {
        this.name = name;
        directory = TestData.path("golden/blocks/" + name);
        golden = SafetensorsFile.open(directory.resolve("golden.safetensors"));
        net = OwnNets.of(name, manager);
        for (BaseModel.Named named : new BaseModel(net).parameters()) {
            if (named.use() == named.parameter()) {
                try (NDArray values = array("base." + named.path())) {
                    Tensors.copy(values, named.parameter().getArray());
                }
            }
        }
    }

    /** Opens a case by the name of its folder. */
    public static OwnGolden open(String name) throws IOException {
        return new OwnGolden(name);
    }

    public Path adapter() {
        return directory.resolve("adapter");
    }

    public BlockNet net() {
        return net;
    }

    /** Checks a case with a config that was read from it. */
    public static void check(String name, AdapterConfig config, Path scratch) throws IOException {
        try (OwnGolden golden = open(name);
                AdaptedModel adapted = Adapters.attach(golden.net, config)) {
            adapted.adapter().load(golden.adapter());
            golden.checkOutputs(adapted);
            golden.checkGradients(adapted);
            golden.checkMerge(adapted);
            golden.checkFile(adapted, scratch);
        }
    }

    private void checkOutputs(AdaptedModel adapted) throws IOException {
        try (NDManager scope = manager.newSubManager()) {
            NDArray x = array("x");
            assertEqual("y", net.run(adapted.block(), scope, x, false));
            try (AdapterScope off = adapted.disableAdapter()) {
                assertEqual("disabled", net.run(adapted.block(), scope, x, false));
            }
        }
    }

    private void checkGradients(AdaptedModel adapted) throws IOException {
        try (NDManager scope = manager.newSubManager();
                GradMode on = GradMode.enabled()) {
            NDArray y = net.run(adapted.block(), scope, array("x"), true);
            Gradients.backward(y, array("upstream"));
            for (var entry : adapted.adapter().parameters().entrySet()) {
                assertEqual("grad." + entry.getKey(), entry.getValue().getArray().getGradient());
            }
            for (Parameter base : net.getParameters().values()) {
                assertThat(base.getArray().hasGradient()).isFalse();
            }
        }
    }

    private void checkMerge(AdaptedModel adapted) throws IOException {
        boolean untied = golden.contains("merged.lm_head.weight");
        if (untied || name.endsWith("embed_lora") || name.endsWith("head_lora")) {
            assertThat(org.assertj.core.api.Assertions.catchThrowable(adapted::merge))
                    .isInstanceOf(TiedWeightException.class);
            return;
        }
        Map<String, float[]> before = values();
        adapted.merge();
        // where PEFT's merged model is wrong, only what it computes says whether ours is right
        try (NDManager scope = manager.newSubManager()) {
            assertEqual("y", net.run(adapted.block(), scope, array("x"), false));
        }
        for (BaseModel.Named named : new BaseModel(net).parameters()) {
            if (golden.contains("merged." + named.path())) {
                assertEqual("merged." + named.path(), named.parameter().getArray());
            }
        }
        adapted.unmerge();
        values().forEach((path, v) -> assertThat(v).as(path).isEqualTo(before.get(path)));
    }

    private Map<String, float[]> values() {
        Map<String, float[]> values = new LinkedHashMap<>();
        new BaseModel(net)
                .parameters()
                .forEach(p -> values.put(p.path(), p.parameter().getArray().toFloatArray()));
        return values;
    }

    /** What is saved is what PEFT saved, without its copies of base weights. */
    private void checkFile(AdaptedModel adapted, Path scratch) throws IOException {
        adapted.save(scratch);
        try (SafetensorsFile ours = SafetensorsFile.open(scratch.resolve(AdapterFiles.TENSORS));
                SafetensorsFile peft =
                        SafetensorsFile.open(adapter().resolve(AdapterFiles.TENSORS))) {
            assertThat(ours.names())
                    .containsExactlyInAnyOrderElementsOf(
                            peft.names().stream()
                                    .filter(key -> !key.endsWith("base_layer.weight"))
                                    .toList());
            for (String key : ours.names()) {
                assertThat(ours.tensor(key).shape()).isEqualTo(peft.tensor(key).shape());
                assertThat(ours.toFloats(key)).as(key).isEqualTo(peft.toFloats(key));
            }
        }
    }

    private NDArray array(String tensor) throws IOException {
        TensorInfo info = golden.tensor(tensor);
        Shape shape = new Shape(info.shape());
        return info.dtype() == Dtype.I64
                ? Tensors.of(manager, golden.toLongs(tensor), shape)
                : Tensors.of(manager, golden.toFloats(tensor), shape);
    }

    private void assertEqual(String tensor, NDArray actual) throws IOException {
        float[] expected = golden.toFloats(tensor);
        float[] found = actual.toFloatArray();
        assertThat(found).as(tensor).hasSameSizeAs(expected);
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i])
                    .as("%s: %s[%d]", name, tensor, i)
                    .isCloseTo(expected[i], within(TOLERANCE * (1 + Math.abs(expected[i]))));
        }
    }

    @Override
    public void close() throws IOException {
        golden.close();
        manager.close();
    }
}
