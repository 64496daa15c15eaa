package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.training.ParameterStore;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A case of {@code golden/blocks} and a DJL block that stands for its torch module: the block has
 * the base weights, and the steps of a check can be taken one by one.
 *
 * <p>{@link #check} takes them all: PEFT's adapter is loaded, and output, gradients, merged
 * weights, the files saved again and three steps of training are PEFT's.
 */
public final class BlockGolden implements AutoCloseable {

    private static final float FORWARD = 3e-6f;
    private static final float BACKWARD = 2e-5f;
    private static final List<String> WEIGHTS = List.of("weight", "embedding", "gamma");
    private static final List<String> BIASES = List.of("bias", "beta");

    private final NDManager manager = NDManager.newBaseManager();
    private final Path directory;
    private final SafetensorsFile golden;
    private final Block block;

    /**
     * Initialises a block and gives it the base weights of a case.
     *
     * @param name the case's folder
     * @param block its children have the names of the torch modules
     */
    public BlockGolden(String name, Block block) throws IOException {
        this.block = block;
        directory = TestData.path("golden/blocks/" + name);
        golden = SafetensorsFile.open(directory.resolve("golden.safetensors"));
        block.initialize(manager, DataType.FLOAT32, tensor("x").getShape());
        for (Map.Entry<String, Parameter> base : named("base.").entrySet()) {
            Tensors.copy(tensor("base." + base.getKey()), base.getValue().getArray());
        }
    }

    /** Takes every step with the adapter that PEFT saved. */
    public static void check(String name, Block block) throws IOException {
        try (BlockGolden golden = new BlockGolden(name, block);
                AdaptedModel adapted = Adapters.load(block, golden.adapter())) {
            golden.assertDisabled(adapted);
            golden.assertOutputAndGradients(adapted);
            golden.assertSavedAgainAsPeft(adapted);
            golden.assertMergesAndUnmerges(adapted);
            golden.assertTrainsAsPeft(adapted);
        }
    }

    /** The adapter's directory as PEFT saved it. */
    public Path adapter() {
        return directory.resolve("adapter");
    }

    public Path directory() {
        return directory;
    }

    public NDManager manager() {
        return manager;
    }

    public boolean has(String name) {
        return golden.contains(name);
    }

    /** A recorded tensor. */
    public NDArray tensor(String name) throws IOException {
        Shape shape = new Shape(golden.tensor(name).shape());
        if (golden.tensor(name).dtype() == Dtype.I64) {
            return Tensors.of(manager, golden.toLongs(name), shape);
        }
        return Tensors.of(manager, golden.toFloats(name), shape);
    }

    /** The block's parameters that the file has under a prefix, by torch's name. */
    public Map<String, Parameter> named(String prefix) {
        Map<String, Block> modules = BlockTree.paths(block);
        Map<String, Parameter> named = new LinkedHashMap<>();
        for (String name : golden.names()) {
            if (name.startsWith(prefix)) {
                String torch = name.substring(prefix.length());
                int dot = torch.lastIndexOf('.');
                Block module = Objects.requireNonNull(modules.get(torch.substring(0, dot)), torch);
                named.put(torch, parameter(module, torch.substring(dot + 1)));
            }
        }
        return named;
    }

    private static Parameter parameter(Block module, String torch) {
        ParameterList parameters = module.getDirectParameters();
        return (torch.equals("weight") ? WEIGHTS : BIASES)
                .stream()
                        .filter(parameters::contains)
                        .findFirst()
                        .map(parameters::get)
                        .orElseThrow();
    }

    /** The adapted model's output on x. */
    public NDArray run(AdaptedModel adapted, NDArray x, boolean training) {
        ParameterStore store = new ParameterStore(manager, false);
        return adapted.block().forward(store, new NDList(x), training).singletonOrThrow();
    }

    public void assertDisabled(AdaptedModel adapted) throws IOException {
        try (AdapterScope off = adapted.disableAdapter()) {
            assertClose("disabled", run(adapted, tensor("x"), false), FORWARD);
        }
    }

    public void assertOutput(AdaptedModel adapted) throws IOException {
        assertClose("y", run(adapted, tensor("x"), false), FORWARD);
    }

    public void assertOutputAndGradients(AdaptedModel adapted) throws IOException {
        assertOutput(adapted);
        try (GradMode on = GradMode.enabled()) {
            NDArray x = tensor("x");
            x.setRequiresGradient(has("grad.x"));
            NDArray y = run(adapted, x, true);
            assertClose("y", y, FORWARD);
            Gradients.backward(y, tensor("upstream"));
            if (has("grad.x")) {
                assertClose("grad.x", x.getGradient(), BACKWARD);
            }
            for (Map.Entry<String, Parameter> entry : adapted.adapter().parameters().entrySet()) {
                NDArray array = entry.getValue().getArray();
                assertClose("grad." + entry.getKey(), array.getGradient(), BACKWARD);
                Gradients.zero(array);
            }
            assertThat(adapted.adapter().parameters().keySet())
                    .hasSize(
                            (int)
                                    golden.names().stream()
                                            .filter(n -> n.startsWith("grad.base"))
                                            .count());
        }
    }

    /** Saves and compares keys, shapes and every bit, and the settings. */
    public void assertSavedAgainAsPeft(AdaptedModel adapted) throws IOException {
        Path again = Files.createTempDirectory("golden");
        try {
            adapted.adapter().save(again);
            try (SafetensorsFile ours = SafetensorsFile.open(again.resolve(AdapterFiles.TENSORS));
                    SafetensorsFile theirs =
                            SafetensorsFile.open(adapter().resolve(AdapterFiles.TENSORS))) {
                assertThat(ours.names()).containsExactlyInAnyOrderElementsOf(theirs.names());
                for (String name : theirs.names()) {
                    assertThat(ours.tensor(name).shape())
                            .as(name)
                            .isEqualTo(theirs.tensor(name).shape());
                    assertThat(ours.toFloats(name)).as(name).isEqualTo(theirs.toFloats(name));
                }
            }
            JsonObject before = AdapterFiles.readConfig(adapter()).json();
            for (Map.Entry<String, JsonElement> entry :
                    AdapterFiles.readConfig(again).json().entrySet()) {
                assertThat(entry.getValue())
                        .as(entry.getKey())
                        .isEqualTo(before.get(entry.getKey()));
            }
        } finally {
            try (Stream<Path> files = Files.list(again)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(again);
        }
    }

    public void assertMergesAndUnmerges(AdaptedModel adapted) throws IOException {
        Map<String, float[]> before = values();
        adapted.merge();
        for (Map.Entry<String, Parameter> merged : named("merged.").entrySet()) {
            assertClose("merged." + merged.getKey(), merged.getValue().getArray(), FORWARD);
        }
        assertOutput(adapted);
        adapted.unmerge();
        values().forEach((key, now) -> assertThat(now).as(key).isEqualTo(before.get(key)));
        assertOutput(adapted);
    }

    private Map<String, float[]> values() {
        Map<String, float[]> values = new LinkedHashMap<>();
        named("base.").forEach((key, p) -> values.put(key, p.getArray().toFloatArray()));
        return values;
    }

    /** Takes the recorded steps of AdamW. */
    public void assertTrainsAsPeft(AdaptedModel adapted) throws IOException {
        NDArray x = tensor("x");
        NDArray target = tensor("target");
        float[] losses = golden.toFloats("losses");
        Map<String, Parameter> parameters = adapted.adapter().parameters();
        GoldenAdamW optimizer = new GoldenAdamW(parameters);
        for (int step = 0; step < losses.length - 1; step++) {
            try (GradMode on = GradMode.enabled()) {
                NDArray loss = run(adapted, x, true).sub(target).square().mean();
                assertThat(loss.getFloat()).as("loss").isCloseTo(losses[step], within(BACKWARD));
                Gradients.backward(loss);
            }
            optimizer.step();
        }
        for (Map.Entry<String, Parameter> entry : parameters.entrySet()) {
            assertClose("step3." + entry.getKey(), entry.getValue().getArray(), 5e-5f);
        }
        assertClose("step3_y", run(adapted, x, false), 5e-5f);
    }

    /** Compares with a recorded tensor, of the same shape. */
    public void assertClose(String name, NDArray actual, float tolerance) throws IOException {
        float[] expected = golden.toFloats(name);
        assertThat(actual.getShape()).as(name).isEqualTo(new Shape(golden.tensor(name).shape()));
        float[] found = actual.toFloatArray();
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i])
                    .as("%s[%d]", name, i)
                    .isCloseTo(expected[i], within(tolerance * (1 + Math.abs(expected[i]))));
        }
    }

    @Override
    public void close() {
        manager.close();
        try {
            golden.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
