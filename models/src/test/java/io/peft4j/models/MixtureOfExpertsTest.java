package io.peft4j.models;

import static io.peft4j.models.Golden.assertGradientClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import io.peft4j.lora.LoraConfig;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What Mixtral's experts and routers have beyond other feed-forward networks. */
class MixtureOfExpertsTest {

    @TempDir private Path directory;

    private CausalLm changed(String key, Object value) throws IOException {
        JsonObject config =
                JsonParser.parseString(
                                Files.readString(TestData.path("golden/mixtral/model/config.json")))
                        .getAsJsonObject();
        config.add(key, JsonParser.parseString(value.toString()));
        Files.writeString(directory.resolve("config.json"), config.toString());
        Files.copy(
                TestData.path("golden/mixtral/model/model.safetensors"),
                directory.resolve("model.safetensors"));
        return CausalLm.load(directory, Device.cpu());
    }

    @Test
    void theRoutersLossIsThatOfTransformers() {
        try (CausalLm model = Golden.load("mixtral/model");
                Golden golden = Golden.open("mixtral/golden.safetensors")) {
            assertThat(model.routerLoss(golden.array("input_ids"), null))
                    .isCloseTo(golden.floats("aux_loss")[0], within(1e-5));
            NDArray mask = golden.array("attention_mask");
            assertThat(model.routerLoss(golden.array("padded_input_ids"), mask))
                    .isCloseTo(golden.floats("padded_aux_loss")[0], within(1e-5));
        }
    }

    @Test
    void aModelWithoutExpertsHasNoRoutersLoss() {
        try (CausalLm model = Golden.load("mistral/model");
                Golden golden = Golden.open("mistral/golden.safetensors")) {
            NDArray ids = golden.array("input_ids");
            assertThatThrownBy(() -> model.routerLoss(ids, null))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("found the family mistral");
        }
    }

    @Test
    void gradientsWithTheRoutersLossAreThoseOfTransformers() throws IOException {
        try (CausalLm model = changed("output_router_logits", true);
                Golden golden = Golden.open("mixtral/golden.safetensors");
                Golden full = Golden.open("mixtral/full/golden.safetensors")) {
            NDArray ids = golden.array("padded_input_ids");
            NDArray mask = golden.array("attention_mask");
            double[] sums = model.backward(ids, mask, golden.array("labels"), 10);
            double balanced = (sums[0] + sums[1]) / 10 + 0.02 * model.routerLoss(ids, mask);
            assertThat(balanced).isCloseTo(full.floats("loss")[0], within(Golden.LOSS));
            model.parameters()
                    .forEach(
                            (name, parameter) ->
                                    assertGradientClose(
                                            name,
                                            parameter.getArray().getGradient().toFloatArray(),
                                            full.floats("grad." + name)));
        }
    }

    @Test
    void theRoutersLossCountsAsMuchAsTheBatchsShareOfTheLabels() throws IOException {
        try (CausalLm model = changed("output_router_logits", true);
                Golden golden = Golden.open("mixtral/golden.safetensors");
                Golden full = Golden.open("mixtral/full/golden.safetensors")) {
            NDArray ids = golden.array("padded_input_ids");
            for (int half = 0; half < 2; half++) {
                NDArray mask = golden.array("attention_mask");
                model.backward(ids, mask, golden.array("labels"), 20);
            }
            String router = "model.layers.1.block_sparse_moe.gate.weight";
            assertGradientClose(
                    router,
                    model.parameters().get(router).getArray().getGradient().toFloatArray(),
                    full.floats("grad." + router));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "model-fused"})
    void savingKeepsTheLayoutThatWasLoaded(String layout) throws IOException {
        Path source = TestData.path("golden/mixtral/" + layout);
        try (CausalLm model = CausalLm.load(source, Device.cpu())) {
            model.save(directory, Dtype.BF16);
        }
        try (SafetensorsFile saved = SafetensorsFile.open(directory.resolve("model.safetensors"));
                SafetensorsFile original =
                        SafetensorsFile.open(source.resolve("model.safetensors"))) {
            assertThat(saved.names()).containsExactlyInAnyOrderElementsOf(original.names());
            for (String name : original.names()) {
                assertThat(saved.tensor(name).shape()).isEqualTo(original.tensor(name).shape());
                assertThat(saved.toFloats(name)).containsExactly(original.toFloats(name));
            }
        }
    }

    @Test
    void whatAFusedCheckpointLacksIsNamedAsItIsInTheFile() throws IOException {
        Files.copy(
                TestData.path("golden/mixtral/model-fused/model.safetensors"),
                directory.resolve("model.safetensors"));
        JsonObject config =
                JsonParser.parseString(
                                Files.readString(TestData.path("golden/mixtral/model/config.json")))
                        .getAsJsonObject();
        config.addProperty("num_hidden_layers", 3);
        config.addProperty("intermediate_size", 20);
        Files.writeString(directory.resolve("config.json"), config.toString());
        assertThatThrownBy(() -> CausalLm.verify(directory))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("model.layers.2.mlp.experts.gate_up_proj")
                .hasMessageContaining(
                        "model.layers.0.mlp.experts.down_proj: expected floats [8, 48, 20], found"
                                + " BF16 [8, 48, 24]");
    }

    @ParameterizedTest
    @CsvSource({"1,2", "8,1", "8,3", "8,8", "2,1"})
    void expertsRunOnTheirTokensAloneWhateverTheirNumber(int experts, int perToken) {
        JsonObject json = new JsonObject();
        json.addProperty("model_type", "mixtral");
        json.addProperty("vocab_size", 50);
        json.addProperty("hidden_size", 16);
        json.addProperty("intermediate_size", 12);
        json.addProperty("num_hidden_layers", 1);
        json.addProperty("num_attention_heads", 2);
        json.addProperty("num_key_value_heads", 1);
        json.addProperty("num_local_experts", experts);
        json.addProperty("num_experts_per_tok", Math.min(perToken, experts));
        json.addProperty("max_position_embeddings", 64);
        json.addProperty("initializer_range", 0.5);
        try (CausalLm model = CausalLm.create(ModelConfig.of(json, "test"), Device.cpu(), 3);
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            long[] ids = new Random(1).longs(24, 0, 50).toArray();
            float[] together =
                    model.logits(scope, scope.create(ids, new Shape(2, 12)), null).toFloatArray();
            for (int row = 0; row < 2; row++) {
                long[] one = Arrays.copyOfRange(ids, row * 12, row * 12 + 12);
                Golden.assertClose(
                        "row " + row,
                        model.logits(scope, scope.create(one, new Shape(1, 12)), null)
                                .toFloatArray(),
                        Arrays.copyOfRange(together, row * 600, row * 600 + 600),
                        2e-5);
            }
        }
    }

    @Test
    void adaptersOfExpertsWithoutTokensGetNoGradient() {
        LoraConfig config =
                LoraConfig.builder().setRank(2).setTargetModules("w1", "w2", "w3").build();
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = Adapters.attach(model.block(), config, 1);
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            NDArray ids = scope.create(new long[] {1, 9, 9}, new Shape(1, 3)); // few tokens
            model.backward(ids, ids, 2);
            List<String> reached = new ArrayList<>();
            for (Map.Entry<String, Parameter> entry : adapted.adapter().parameters().entrySet()) {
                if (hasGradient(entry.getValue())) {
                    reached.add(entry.getKey());
                }
            }
            // two layers, and at most three tokens with two experts each; B is zero, so A has none
            assertThat(reached).isNotEmpty().allMatch(key -> key.endsWith("lora_B.weight"));
            assertThat(reached.size()).isBetween(2 * 2 * 3, 2 * 6 * 3).isLessThan(2 * 8 * 3);
        }
    }

    /**
     * A change of all experts' weights, or a sum over all of them with zeros, would spread the NaN.
     */
    @Test
    void adaptersOfExpertsWithoutTokensAreNeverComputed() {
        LoraConfig config =
                LoraConfig.builder().setRank(2).setTargetModules("w1", "w2", "w3").build();
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = Adapters.attach(model.block(), config, 1);
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            NDArray ids = scope.create(new long[] {1, 9, 9}, new Shape(1, 3));
            float[] before = model.logits(scope, ids, null).toFloatArray();
            // a fourth token, for the last predicts nothing: no gradient goes back to its experts
            NDArray longer = scope.create(new long[] {1, 9, 9, 9}, new Shape(1, 4));
            model.backward(longer, longer, 3);
            Map<String, Parameter> all = adapted.adapter().parameters();
            List<Parameter> unreached = new ArrayList<>();
            all.forEach(
                    (key, parameter) -> {
                        String pair = key.substring(0, key.lastIndexOf("lora_"));
                        if (!hasGradient(all.get(pair + "lora_B.weight"))) {
                            unreached.add(parameter);
                        }
                    });
            assertThat(unreached).hasSizeBetween(2 * 2 * 3 * 2, 2 * 2 * 3 * 6);
            for (Parameter parameter : unreached) {
                float[] poison = new float[(int) parameter.getShape().size()];
                Arrays.fill(poison, Float.NaN);
                parameter.getArray().set(poison);
            }
            assertThat(model.logits(scope, ids, null).toFloatArray()).containsExactly(before);
            double[] losses = model.backward(ids, ids, 2);
            assertThat(losses[0]).isFinite();
            all.forEach(
                    (key, parameter) -> {
                        try (NDArray gradient = parameter.getArray().getGradient()) {
                            assertThat(gradient.sum().getFloat()).as(key).isFinite();
                        }
                    });
        }
    }

    /** PEFT trained the router alone as a parameter; its scores decide who goes where. */
    @Test
    void anAdapterOfTheRouterSendsTokensElsewhere() {
        LoraConfig config = LoraConfig.builder().setRank(2).setTargetModules("gate").build();
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = Adapters.attach(model.block(), config, 1);
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            assertThat(adapted.adapter().states())
                    .containsOnlyKeys(
                            "model.layers.0.block_sparse_moe.gate",
                            "model.layers.1.block_sparse_moe.gate");
            NDArray ids = scope.create(new long[] {1, 9, 30, 77}, new Shape(1, 4));
            model.backward(ids, ids, 2);
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, parameter) ->
                                    assertThat(hasGradient(parameter))
                                            .as(key)
                                            .isEqualTo(key.endsWith("lora_B.weight")));
            double before = model.routerLoss(ids, null);
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                float[] large = new float[(int) parameter.getShape().size()];
                for (int i = 0; i < large.length; i++) {
                    large[i] = i % 3 - 1;
                }
                parameter.getArray().set(large);
            }
            assertThat(model.routerLoss(ids, null)).isNotCloseTo(before, within(1e-3));
        }
    }

    @Test
    void paddingIsSentToNoExpert() {
        LoraConfig config =
                LoraConfig.builder().setRank(2).setTargetModules("w1", "w2", "w3").build();
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = Adapters.attach(model.block(), config, 1);
                NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            long[] padding = new Random(5).longs(30, 4, 264).toArray();
            padding[0] = 1;
            padding[1] = 9;
            long[] flags = new long[30];
            flags[0] = flags[1] = 1;
            long[] labels = new long[30];
            Arrays.fill(labels, -100);
            labels[1] = 9;
            Shape shape = new Shape(1, 30);
            NDArray ids = scope.create(padding, shape);
            NDArray mask = scope.create(flags, shape);
            model.backward(ids, mask, scope.create(labels, shape), 1);
            double alone = model.routerLoss(scope.create(new long[][] {{1, 9}}), null);
            assertThat(model.routerLoss(ids, mask)).isCloseTo(alone, within(1e-5));
            long reached =
                    adapted.adapter().parameters().entrySet().stream()
                            .filter(entry -> entry.getKey().endsWith("lora_B.weight"))
                            .filter(entry -> hasGradient(entry.getValue()))
                            .count();
            assertThat(reached).isBetween(2 * 2 * 3L, 2 * 4 * 3L);
            float[] nothing =
                    model.logits(scope, ids, scope.zeros(shape, DataType.INT64)).toFloatArray();
            assertThat(nothing).doesNotContain(Float.NaN);
        }
    }

    private static boolean hasGradient(Parameter parameter) {
        try (NDArray gradient = parameter.getArray().getGradient()) {
            return gradient.abs().sum().getFloat() > 0;
        }
    }

    @Test
    void adaptersTakeTheAttentionUnlessExpertsAreNamed() {
        try (CausalLm model = Golden.load("mixtral/model")) {
            List<String> names = model.config().defaultTargetModules();
            assertThat(sites(model, TargetModules.of(names.toArray(String[]::new))))
                    .hasSize(2 * 4)
                    .allMatch(path -> path.contains(".self_attn."));
            assertThat(sites(model, TargetModules.of("w1", "w2", "w3")))
                    .hasSize(2 * 8 * 3)
                    .contains("model.layers.1.block_sparse_moe.experts.7.w3");
            assertThat(sites(model, TargetModules.parse("all-linear")))
                    .hasSize(2 * (4 + 1 + 8 * 3))
                    .contains("model.layers.0.block_sparse_moe.gate")
                    .doesNotContain("lm_head");
        }
    }

    private static List<String> sites(CausalLm model, TargetModules targets) {
        LoraConfig config = LoraConfig.builder().setRank(2).setTargetModules(targets).build();
        return Adapters.dryRun(model.block(), config).stream().map(Site::path).toList();
    }
}
