package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static io.peft4j.models.Golden.assertGradientClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.BlockTree;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The tiny models of all families without an adapter, against transformers. */
class FamilyGoldenTest {

    private static final int VOCABULARY = 264;

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3/model",
                "llama3/model-sharded",
                "llama_bias/model",
                "mistral/model",
                "mixtral/model",
                "mixtral/model-fused",
                "mixtral/model-sharded",
                "phi3/model",
                "phi3/model-sharded",
                "phi_partial/model",
                "qwen2/model"
            })
    void logitsAndLossAreThoseOfTransformers(String model) {
        try (CausalLm loaded = Golden.load(model);
                Golden golden = Golden.open(model.replaceAll("/.*", "/golden.safetensors"))) {
            NDArray ids = golden.array("input_ids");
            assertClose("logits", logits(loaded, ids), golden.floats("logits"), Golden.LOGITS);
            double[] sums = loaded.rowLosses(ids, ids);
            assertThat((sums[0] + sums[1]) / 14)
                    .isCloseTo(golden.floats("loss")[0], within(Golden.LOSS));
        }
    }

    private static float[] logits(CausalLm model, NDArray ids) {
        try (NDManager scope = NDManager.newBaseManager()) {
            return model.logits(scope, ids, null).toFloatArray();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3",
                "llama_bias",
                "mistral",
                "mixtral",
                "phi3",
                "phi_partial",
                "qwen2"
            })
    void paddingOnTheRightLeavesTheTokensLogitsAndLosses(String family) {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = golden.array("padded_input_ids");
            NDArray mask = golden.array("attention_mask");
            float[] logits = model.logits(scope, ids, mask).toFloatArray();
            float[] expected = golden.floats("padded_logits");
            for (int row : new int[] {0, 1}) {
                int end = row * 8 + (row == 0 ? 8 : 5);
                assertClose(
                        "row " + row,
                        Arrays.copyOfRange(logits, row * 8 * VOCABULARY, end * VOCABULARY),
                        Arrays.copyOfRange(expected, row * 8 * VOCABULARY, end * VOCABULARY),
                        Golden.LOGITS);
            }
            double[] sums = model.rowLosses(ids, golden.array("labels"));
            // row 0 has no label on its first two tokens; row 1 has five tokens
            assertThat((sums[0] + sums[1]) / (6 + 4))
                    .isCloseTo(golden.floats("padded_loss")[0], within(Golden.LOSS));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3",
                "llama_bias",
                "mistral",
                "mixtral",
                "phi3",
                "phi_partial",
                "qwen2"
            })
    void paddingOnTheLeftLeavesTheTokensLogits(String family) {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            long[] ids = golden.longs("input_ids");
            long[] padded = new long[22];
            long[] tokens = new long[22];
            System.arraycopy(ids, 0, padded, 0, 8); // one row padded on the right, one on the left
            Arrays.fill(tokens, 0, 8, 1);
            System.arraycopy(ids, 8, padded, 14, 8);
            Arrays.fill(tokens, 14, 22, 1);
            float[] logits =
                    model.logits(
                                    scope,
                                    scope.create(padded, new Shape(2, 11)),
                                    scope.create(tokens, new Shape(2, 11)))
                            .toFloatArray();
            float[] expected = golden.floats("logits");
            int half = 8 * VOCABULARY;
            assertClose(
                    "right-padded row",
                    Arrays.copyOf(logits, half),
                    Arrays.copyOf(expected, half),
                    Golden.LOGITS);
            assertClose(
                    "left-padded row",
                    Arrays.copyOfRange(logits, 14 * VOCABULARY, 22 * VOCABULARY),
                    Arrays.copyOfRange(expected, half, 2 * half),
                    Golden.LOGITS);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3",
                "llama_bias",
                "mistral",
                "mixtral",
                "phi3",
                "phi_partial",
                "qwen2"
            })
    void hiddenStatesAreThoseOfTransformersAfterEveryBlock(String family) {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors");
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                GradMode off = GradMode.disabled()) {
            Map<String, Block> blocks = BlockTree.paths(model.block());
            ParameterStore store = new ParameterStore(scope, false);
            Architecture architecture = model.config().architecture();
            NDList table = new RotaryTable(architecture).of(8, scope.ones(new Shape(1)));
            NDArray ids = golden.array("input_ids").get("0:1");
            NDArray h = run(blocks, "model.embed_tokens", store, ids);
            assertClose("embed", h.toFloatArray(), golden.floats("hidden.embed"), 0);
            for (int i = 0; i < architecture.layers().size(); i++) {
                h = run(blocks, "model.layers." + i, store, h, table.get(0), table.get(1));
                assertClose(
                        "layer " + i, h.toFloatArray(), golden.floats("hidden.layer." + i), 1e-5);
            }
            h = run(blocks, "model.norm", store, h);
            assertClose("norm", h.toFloatArray(), golden.floats("hidden.norm"), 1e-5);
        }
    }

    private static NDArray run(
            Map<String, Block> blocks, String path, ParameterStore store, NDArray... inputs) {
        Block block = blocks.get(path);
        assertThat(block).as(path).isNotNull();
        return block.forward(store, new NDList(inputs), false).singletonOrThrow();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3",
                "llama_bias",
                "mistral",
                "mixtral",
                "phi3",
                "phi_partial",
                "qwen2"
            })
    void greedyTextIsThatOfTransformers(String family) {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors")) {
            assertGreedy(model, golden.longs("greedy"));
        }
    }

    /** The first four tokens are the prompt. */
    static void assertGreedy(CausalLm model, long[] expected) {
        GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(8).build();
        long[] generated =
                new Generator().generate(model, Arrays.copyOf(expected, 4), config, token -> {});
        assertThat(generated).containsExactly(Arrays.copyOfRange(expected, 4, 12));
    }

    @ParameterizedTest
    @CsvSource({
        "llama3,rope_llama31",
        "llama3,tied",
        "phi3,longrope_over",
        "phi3,longrope_under",
        "phi3,sliding_4",
        "mixtral,sliding_4",
        "mixtral,top1"
    })
    void variantsOfTheConfigAreThoseOfTransformers(String family, String variant)
            throws IOException {
        JsonObject changes =
                object("manifest.json")
                        .getAsJsonObject("archs")
                        .getAsJsonObject(family)
                        .getAsJsonObject("variants")
                        .getAsJsonObject(variant)
                        .getAsJsonObject("config_changes");
        assertVariant(family, variant, changes);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "mistral|unlimited|{\"sliding_window\": null}",
                "mistral|wide|{\"sliding_window\": 7}",
                "qwen2|unused|{\"use_sliding_window\": false}"
            })
    void windowsOfTheConfigAreThoseOfTransformers(String family, String variant, String changes)
            throws IOException {
        assertVariant(family, variant, JsonParser.parseString(changes).getAsJsonObject());
    }

    private void assertVariant(String family, String variant, JsonObject changes)
            throws IOException {
        JsonObject config = object(family + "/model/config.json");
        for (Map.Entry<String, JsonElement> change : changes.entrySet()) {
            config.add(change.getKey(), change.getValue());
        }
        Files.writeString(directory.resolve("config.json"), config.toString());
        Files.copy(
                TestData.path("golden/" + family + "/model/model.safetensors"),
                directory.resolve("model.safetensors"));
        try (CausalLm model = CausalLm.load(directory, Device.cpu());
                Golden golden = Golden.open(family + "/golden.safetensors")) {
            assertClose(
                    variant,
                    logits(model, golden.array("input_ids")),
                    golden.floats("variant." + variant + ".logits"),
                    Golden.LOGITS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"phi_partial", "qwen2"})
    void aTiedHeadCanBeUntiedAndSaved(String family) throws IOException {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors")) {
            assertThat(model.parameters()).doesNotContainKey("lm_head.weight");
            assertThat(model.untieHead()).isTrue();
            model.save(directory, Dtype.BF16);
            try (CausalLm untied = CausalLm.load(directory, Device.cpu())) {
                assertThat(untied.config().hasTiedHead()).isFalse();
                assertThat(untied.parameters()).containsKey("lm_head.weight");
                assertClose(
                        "untied",
                        logits(untied, golden.array("input_ids")),
                        golden.floats("logits"),
                        Golden.LOGITS);
            }
        }
    }

    @Test
    void textThatOutgrowsTheShortFactorsIsReadAnewWithTheLongOnes() throws IOException {
        Files.copy(TestData.path("golden/phi3/crossing.json"), directory.resolve("config.json"));
        Files.copy(
                TestData.path("golden/phi3/model/model.safetensors"),
                directory.resolve("model.safetensors"));
        try (CausalLm model = CausalLm.load(directory, Device.cpu());
                Golden golden = Golden.open("phi3/crossing.safetensors")) {
            assertGreedy(model, golden.longs("greedy"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama_bias", "mistral", "mixtral", "phi_partial", "qwen2"})
    void logitsWithCachedKeysAreThoseOfTheWholeText(String family) {
        long[] text = new Random(4).longs(20, 0, VOCABULARY).toArray();
        try (CausalLm model = Golden.load(family + "/model");
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                GradMode off = GradMode.disabled();
                KeyValueCache cache =
                        new KeyValueCache(
                                scope, model.config().architecture(), ScalarType.FLOAT32, 1, 20)) {
            NDArray ids = scope.create(text, new Shape(1, 20));
            float[] whole = model.logits(scope, ids, null).toFloatArray();
            long[] next = Arrays.copyOf(text, 7); // more than a window, or less, or none
            for (int end = 7; end <= 20; end++) {
                assertClose(
                        "after " + end,
                        Generator.lastLogits(model, scope, next, cache),
                        Arrays.copyOfRange(whole, (end - 1) * VOCABULARY, end * VOCABULARY),
                        5e-5);
                next = end < 20 ? new long[] {text[end]} : next;
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mistral", "mixtral", "phi3"})
    void passesLeaveNoArrayBehind(String family) {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors")) {
            NDArray ids = golden.array("padded_input_ids");
            NDArray mask = golden.array("attention_mask");
            GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(6).build();
            Set<Integer> counts = new HashSet<>();
            for (int i = 0; i < 30; i++) {
                model.backward(ids, mask, ids, 14);
                model.rowLosses(ids, ids);
                new Generator().generate(model, new long[] {1, 9}, config, token -> {});
                counts.add(model.manager().getManagedArrays().size());
            }
            assertThat(counts).hasSize(1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama_bias", "mistral", "phi_partial", "qwen2"})
    void gradientsOfAllWeightsAreThoseOfTransformers(String family) {
        try (CausalLm model = Golden.load(family + "/model");
                Golden golden = Golden.open(family + "/golden.safetensors")) {
            NDArray ids = golden.array("input_ids");
            model.backward(ids, ids, 14);
            long expected = golden.names().stream().filter(n -> n.startsWith("grad.")).count();
            assertThat((long) model.parameters().size()).isEqualTo(expected);
            model.parameters()
                    .forEach(
                            (name, parameter) ->
                                    assertGradientClose(
                                            name,
                                            parameter.getArray().getGradient().toFloatArray(),
                                            golden.floats("grad." + name)));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "llama_bias/model/config.json,llama_bias",
        "mistral/model/config.json,mistral",
        "mixtral/model/config.json,mixtral",
        "phi3/crossing.json,phi3",
        "phi_partial/model/config.json,phi_partial",
        "qwen2/model/config.json,qwen2"
    })
    void bothGenerationsOfTheConfigAreReadAlike(String published, String family)
            throws IOException {
        ModelConfig old = ModelConfig.read(TestData.path("golden/" + published));
        ModelConfig saved = ModelConfig.read(TestData.path("golden/" + family + "/config_v5.json"));
        assertThat(saved.architecture()).isEqualTo(old.architecture());
        assertThat(saved.dtype()).isPresent().isEqualTo(old.dtype());
    }

    @Test
    void theScaledPositionsOfLlama31AreReadFromBothGenerations() throws IOException {
        RotaryScaling expected = new RotaryScaling.Llama3(8, 1, 4, 32);
        RotaryEmbedding saved =
                ModelConfig.read(TestData.path("golden/llama3/config_v5.json"))
                        .architecture()
                        .rotary();
        assertThat(saved).isEqualTo(new RotaryEmbedding(10_000, 12, expected));
    }

    private static JsonObject object(String name) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("golden/" + name)))
                .getAsJsonObject();
    }
}
