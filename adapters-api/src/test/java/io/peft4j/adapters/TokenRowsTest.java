package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.TrainedInFull.Bias;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Rows of an embedding that an adapter trains itself. */
class TokenRowsTest {

    private static final String KEY = "token_adapter.trainable_tokens_delta";

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void freeAll() {
        manager.close();
    }

    private static PlainLora tokens(Map<String, List<Integer>> rows, String... targets) {
        return PlainLora.of(new TrainedInFull(Bias.NONE, List.of(), rows), targets);
    }

    private AdaptedModel attach(BlockNet net, Map<String, List<Integer>> rows) {
        return Adapters.attach(net, tokens(rows, "fc"));
    }

    private float[] run(BlockNet net, AdaptedModel adapted, NDArray x) {
        try (NDManager scope = manager.newSubManager()) {
            return net.run(adapted.block(), scope, x, false).toFloatArray();
        }
    }

    @Test
    void newRowsAreTheBasesAndLeaveEveryBit() {
        BlockNet net = OwnNets.tokens(manager, "embed", "");
        NDArray x = Tensors.of(manager, new long[] {0, 3, 7, 10}, new Shape(2, 2));
        try (NDManager scope = manager.newSubManager()) {
            float[] before = net.run(net, scope, x, false).toFloatArray();
            try (AdaptedModel adapted = attach(net, Map.of("embed", List.of(7, 0)))) {
                assertThat(run(net, adapted, x)).isEqualTo(before);
                float[] table = net.parameter("embed.weight").getArray().toFloatArray();
                float[] rows =
                        adapted.adapter()
                                .parameters()
                                .get("base_model.model.embed." + KEY)
                                .getArray()
                                .toFloatArray();
                for (int i = 0; i < 6; i++) {
                    assertThat(rows[i]).isEqualTo(table[7 * 6 + i]);
                    assertThat(rows[6 + i]).isEqualTo(table[i]);
                }
            }
        }
    }

    @Test
    void fastFormsEqualTheEffectiveWeightForwardAndBackward() {
        for (String form : List.of("embedding", "tied", "linear")) {
            boolean linear = form.equals("linear");
            NDArray table = Tensors.clone(manager, manager.randomNormal(new Shape(9, 4)));
            Site site =
                    linear
                            ? Site.linear("head", 9, 4, true)
                            : new Site(
                                    "embed",
                                    Site.Kind.EMBEDDING,
                                    new Shape(9, 4),
                                    true,
                                    false,
                                    List.of());
            Parameter parameter =
                    Parameter.builder()
                            .setName("w")
                            .setType(Parameter.Type.WEIGHT)
                            .optShape(new Shape(9, 4))
                            .optInitializer((m, s, t) -> table)
                            .build();
            parameter.initialize(manager, table.getDataType());
            BaseWeight base = new BaseWeight(site, parameter);
            try (TokenRows rows = new TokenRows(base, List.of(8, 2, 5), manager);
                    GradMode on = GradMode.enabled()) {
                Parameter own = rows.parameters().get(KEY);
                Tensors.copy(manager.randomNormal(own.getShape()), own.getArray());
                ParameterStore store = new ParameterStore(manager, false);
                NDArray matrix = base.matrix(manager, table);
                NDArray whole = rows.effectiveWeight(matrix, store, true);
                NDArray fast;
                NDArray slow;
                if (form.equals("embedding")) {
                    NDArray ids = Tensors.of(manager, new long[] {5, 0, 8, 5}, new Shape(4));
                    NDArray looked = table.get(ids);
                    fast = looked.add(rows.embeddingUpdate(ids, looked, matrix, store, true));
                    slow = whole.transpose().get(ids);
                } else {
                    NDArray h = Tensors.clone(manager, manager.randomNormal(new Shape(3, 4)));
                    NDArray w = linear ? matrix.transpose() : matrix;
                    NDArray y = h.matMul(w);
                    fast =
                            y.add(
                                    linear
                                            ? rows.linearUpdate(h, y, matrix, store, true)
                                            : rows.tiedUpdate(h, y, matrix, store, true));
                    slow = h.matMul(linear ? whole.transpose() : whole);
                }
                NDArray upstream = Tensors.clone(manager, manager.randomNormal(fast.getShape()));
                assertClose(form, fast.toFloatArray(), slow.toFloatArray());
                Gradients.backward(fast, upstream);
                float[] gradient = own.getArray().getGradient().toFloatArray();
                Gradients.zero(own.getArray());
                Gradients.backward(slow, upstream);
                assertClose(form, gradient, own.getArray().getGradient().toFloatArray());
                assertThat(gradient).isNotEqualTo(new float[gradient.length]);
            }
        }
    }

    private static void assertClose(String what, float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i]).as("%s[%d]", what, i).isCloseTo(expected[i], within(2e-6f));
        }
    }

    @Test
    void rowsOutsideTheVocabularyOrGivenTwiceAreRefusedWithItsSize() {
        BlockNet net = OwnNets.tokens(manager, "embed", "");
        assertThatThrownBy(() -> attach(net, Map.of("embed", List.of(3, 11))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessage(
                        "trainable_token_indices of embed: expected rows from 0 to 10 (the"
                                + " vocabulary has 11), found 11");
        assertThatThrownBy(() -> attach(net, Map.of("embed", List.of(-1))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("found -1");
        assertThatThrownBy(() -> attach(net, Map.of("embed", List.of(3, 4, 3))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("each of the 11 rows once, found 3 twice");
        assertThatThrownBy(() -> attach(net, Map.of("embed", List.of())))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("found none");
        assertThatThrownBy(() -> attach(net, Map.of("embedd", List.of(1))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("trainable_token_indices: embedd; nearest: embed");
    }

    @Test
    void theInputEmbeddingIsTheOnlyOneOrTheOneOfTheUsualName() {
        BlockNet two = OwnNets.tokens(manager, "embed", "two");
        assertThatThrownBy(() -> attach(two, Map.of("", List.of(1))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("the model's embeddings are [embed, kinds]");
        BlockNet usual = OwnNets.tokens(manager, "embed_tokens", "two");
        try (AdaptedModel adapted = attach(usual, Map.of("", List.of(1)))) {
            assertThat(adapted.adapter().parameters().keySet())
                    .contains("base_model.model.embed_tokens." + KEY);
        }
        BlockNet one = OwnNets.tokens(manager, "words", "");
        try (AdaptedModel adapted = attach(one, Map.of("", List.of(1)))) {
            assertThat(adapted.adapter().parameters().keySet())
                    .contains("base_model.model.words." + KEY);
        }
    }

    @Test
    void anEmbeddingThatTheAdapterChangesOtherwiseIsRefused() {
        BlockNet net = OwnNets.tokens(manager, "embed", "");
        assertThatThrownBy(
                        () ->
                                Adapters.attach(
                                        net, tokens(Map.of("embed", List.of(1)), "embed", "fc")))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("changes this weight already, as a target module");
        TrainedInFull both =
                new TrainedInFull(Bias.NONE, List.of("embed"), Map.of("embed", List.of(1)));
        assertThatThrownBy(() -> Adapters.attach(net, PlainLora.of(both, "fc")))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("as one of modules_to_save");
    }

    @Test
    void rowsOfTwoAdaptersAddUnlessTheyAreOfTheSameToken() {
        BlockNet net = OwnNets.tokens(manager, "embed", "");
        NDArray x = Tensors.of(manager, new long[] {1, 2, 3}, new Shape(1, 3));
        try (AdaptedModel adapted = attach(net, Map.of("embed", List.of(1)))) {
            adapted.add("other", tokens(Map.of("embed", List.of(2)), "fc"));
            adapted.add("same", tokens(Map.of("embed", List.of(5, 1)), "fc"));
            float[] base = run(net, adapted, x);
            for (String name : List.of("default", "other")) {
                Parameter rows =
                        adapted.adapter(name).parameters().get("base_model.model.embed." + KEY);
                Tensors.copy(manager.randomNormal(rows.getShape()), rows.getArray());
            }
            float[] first = run(net, adapted, x);
            adapted.activate("other");
            float[] second = run(net, adapted, x);
            adapted.activate("default", "other");
            float[] both = run(net, adapted, x);
            for (int i = 0; i < 4; i++) {
                assertThat(both[i]).isEqualTo(first[i]).isNotEqualTo(base[i]);
                assertThat(both[4 + i]).isEqualTo(second[4 + i]).isNotEqualTo(base[4 + i]);
                assertThat(both[8 + i]).isEqualTo(base[8 + i]);
            }
            assertThatThrownBy(() -> adapted.activate("default", "same"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("replaces the row of the same token");
        }
    }

    @Test
    void fileByPeftLoads() throws IOException {
        BlockNet net =
                new BlockNet()
                        .add("model.embed_tokens", new AdaptableEmbedding(32, 16, List.of()), 1)
                        .add("model.layers.0.self_attn.q_proj", OwnNets.linear(16), 1, 16)
                        .build(
                                manager,
                                p ->
                                        p.call(
                                                "model.layers.0.self_attn.q_proj",
                                                p.call("model.embed_tokens", p.x())));
        Path directory = TestData.path("peft/tok");
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.read(directory))) {
            adapted.adapter().load(directory);
            assertThat(
                            adapted.adapter()
                                    .parameters()
                                    .get("base_model.model.model.embed_tokens." + KEY)
                                    .getShape())
                    .isEqualTo(new Shape(2, 16));
        }
    }
}
