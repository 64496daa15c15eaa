package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.RowAdapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Batches whose rows have adapters of their own. */
class RowAdaptersTest {

    private static final String BASE = RowAdapters.BASE;
    private static final List<String> NAMES = List.of("two", "one", BASE, "two", "three", "one");
    private static final int TOKENS = 6;

    private static final List<long[]> PROMPTS =
            List.of(
                    new long[] {1, 5, 9, 20, 31},
                    new long[] {1, 40},
                    new long[] {1, 17, 18, 19},
                    new long[] {6},
                    new long[] {3, 2, 1},
                    new long[] {8, 8});

    /** Three adapters: LoRA, DoRA, and another LoRA on fewer layers. */
    private static AdaptedModel adapted(CausalLm model) {
        return adapted(
                model,
                LoraConfig.builder().setRank(2).optAlpha(8).setTargetModules("q_proj").build());
    }

    private static AdaptedModel adapted(CausalLm model, AdapterConfig third) {
        AdaptedModel adapted = Adapters.attach(model.block(), third);
        adapted.add("one", TinyAdapters.config("lora", 0, "all-linear"));
        adapted.add("two", TinyAdapters.config("dora", 0, "all-linear"));
        adapted.add("three", third);
        adapted.names().forEach(name -> randomise(adapted.adapter(name), name.hashCode()));
        return adapted;
    }

    private static void randomise(Adapter adapter, long seed) {
        Random random = new Random(seed);
        for (Parameter parameter : adapter.parameters().values()) {
            NDArray array = parameter.getArray();
            float[] values = new float[(int) array.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = 0.4f * (float) random.nextGaussian();
            }
            try (NDManager scope = array.getManager().newSubManager()) {
                Tensors.copy(Tensors.of(scope, values, array.getShape()), array);
            }
        }
    }

    private static NDArray ids(NDManager owner) {
        long[] ids = new Random(3).longs((long) NAMES.size() * TOKENS, 0, 50).toArray();
        return owner.create(ids, new Shape(NAMES.size(), TOKENS));
    }

    /** Each row by itself, with its adapter in a scope of the thread. */
    private static float[] rowAlone(CausalLm model, AdaptedModel adapted, int row) {
        String name = NAMES.get(row);
        try (AdapterScope scope = name.equals(BASE) ? adapted.use() : adapted.use(name);
                NDManager owner = model.manager().newSubManager()) {
            NDArray ids = ids(owner).get(row + ":" + (row + 1));
            return model.logits(owner, ids, null).toFloatArray();
        }
    }

    private static void assertRowsAreThoseOfTheirAdapters(CausalLm model, AdaptedModel adapted) {
        try (NDManager owner = model.manager().newSubManager()) {
            float[] together = model.logits(owner, ids(owner), null, NAMES).toFloatArray();
            int size = together.length / NAMES.size();
            for (int row = 0; row < NAMES.size(); row++) {
                float[] expected = rowAlone(model, adapted, row);
                float[] found = Arrays.copyOfRange(together, row * size, (row + 1) * size);
                Golden.assertClose("row " + row, found, expected, 1e-5);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "biased", "qwen2", "mistral", "phi3", "openelm"})
    void aRowIsWhatItIsAloneWithItsAdapter(String family) {
        String target = family.equals("phi3") || family.equals("openelm") ? "qkv_proj" : "q_proj";
        AdapterConfig third =
                LoraConfig.builder().setRank(2).optAlpha(8).setTargetModules(target).build();
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = adapted(model, third)) {
            assertRowsAreThoseOfTheirAdapters(model, adapted);
            model.useLayerKernels(false);
            assertRowsAreThoseOfTheirAdapters(model, adapted);
        }
    }

    @Test
    void adaptersThatTheKernelsDoNotComputeGoPartByPart() {
        AdapterConfig embeddings =
                LoraConfig.builder()
                        .setRank(2)
                        .optAlpha(8)
                        .setTargetModules("embed_tokens", "q_proj")
                        .build();
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = adapted(model, embeddings)) {
            assertRowsAreThoseOfTheirAdapters(model, adapted);
            assertTextsAreThoseOfTheirAdapters(model, adapted);
        }
    }

    @Test
    void expertsGoPartByPart() throws IOException {
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = adapted(model)) {
            assertRowsAreThoseOfTheirAdapters(model, adapted);
            assertTextsAreThoseOfTheirAdapters(model, adapted);
        }
    }

    private static void assertTextsAreThoseOfTheirAdapters(CausalLm model, AdaptedModel adapted) {
        GenerationConfig config =
                GenerationConfig.builder().optMaxNewTokens(9).optTemperature(1).build();
        List<long[]> together =
                new Generator().generate(model, PROMPTS, NAMES, config, (row, id) -> true);
        for (int row = 0; row < NAMES.size(); row++) {
            String name = NAMES.get(row);
            GenerationConfig own = config.toBuilder().optSeed(config.seed() + row).build();
            try (AdapterScope scope = name.equals(BASE) ? adapted.use() : adapted.use(name)) {
                long[] alone = new Generator().generate(model, PROMPTS.get(row), own, id -> {});
                assertThat(together.get(row)).as("row " + row).containsExactly(alone);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "biased", "qwen2", "mistral"})
    void aTextIsWhatItIsAloneWithItsAdapter(String family) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = adapted(model)) {
            assertTextsAreThoseOfTheirAdapters(model, adapted);
        }
    }

    @Test
    void logitsAreThoseOfPeftsAdapterNames() throws IOException {
        try (CausalLm model = Golden.load("llama3/model");
                Golden golden = Golden.open("llama3/rows.safetensors");
                NDManager owner = model.manager().newSubManager();
                AdaptedModel adapted =
                        Adapters.load(model.block(), TestData.path("golden/llama3/lora"))) {
            adapted.load("rslora", TestData.path("golden/llama3/rslora"));
            String lora = AdaptedModel.DEFAULT;
            float[] found =
                    model.logits(
                                    owner,
                                    golden.array("input_ids"),
                                    golden.array("attention_mask"),
                                    List.of("rslora", lora, BASE, "rslora", lora))
                            .toFloatArray();
            float[] expected = golden.floats("logits");
            long[] mask = golden.longs("attention_mask");
            int size = expected.length / mask.length;
            for (int i = 0; i < expected.length; i++) {
                if (mask[i / size] == 1) {
                    assertThat(found[i]).isCloseTo(expected[i], within((float) Golden.LOGITS));
                }
            }
        }
    }

    @Test
    void namesAreThoseOfAdaptersOnePerRow() {
        try (CausalLm model = TinyModels.model("llama");
                NDManager owner = model.manager().newSubManager();
                AdaptedModel adapted = adapted(model)) {
            NDArray ids = ids(owner);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> model.logits(owner, ids, null, List.of("one", "two")))
                    .withMessageContaining("6 rows, found 2");
            List<String> unknown = new ArrayList<>(NAMES);
            unknown.set(4, "four");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> model.logits(owner, ids, null, unknown))
                    .withMessageContaining("four");
            adapted.merge();
            assertThatIllegalStateException()
                    .isThrownBy(() -> model.logits(owner, ids, null, NAMES))
                    .withMessageContaining("unmerge first");
            adapted.unmerge();
            assertRowsAreThoseOfTheirAdapters(model, adapted); // nothing is left open
        }
    }

    @Test
    void aModelWithoutAdaptersHasTheBaseAlone() {
        try (CausalLm model = TinyModels.model("llama");
                NDManager owner = model.manager().newSubManager()) {
            NDArray ids = ids(owner);
            float[] plain = model.logits(owner, ids, null).toFloatArray();
            List<String> none = List.of(BASE, BASE, BASE, BASE, BASE, BASE);
            assertThat(model.logits(owner, ids, null, none).toFloatArray()).containsExactly(plain);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> model.logits(owner, ids, null, NAMES))
                    .withMessageContaining("the model has none");
        }
    }

    @Test
    void anAdapterThatIsDeletedMeanwhileServesItsTextsToTheEnd() {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = adapted(model)) {
            GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(6).build();
            List<long[]> expected =
                    new Generator().generate(model, PROMPTS, NAMES, config, (row, id) -> true);
            List<long[]> found =
                    new Generator()
                            .generate(
                                    model,
                                    PROMPTS,
                                    NAMES,
                                    config,
                                    (row, id) -> {
                                        if (adapted.names().contains("two")) {
                                            adapted.delete("two");
                                        }
                                        return true;
                                    });
            for (int row = 0; row < NAMES.size(); row++) {
                assertThat(found.get(row)).containsExactly(expected.get(row));
            }
        }
    }

    @Test
    void threadsMixAdaptersAsTheyLike() throws Exception {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = adapted(model)) {
            ExecutorService pool = Executors.newFixedThreadPool(4);
            try {
                List<Future<?>> all = new ArrayList<>();
                for (int thread = 0; thread < 4; thread++) {
                    all.add(
                            pool.submit(
                                    () -> {
                                        for (int i = 0; i < 10; i++) {
                                            assertRowsAreThoseOfTheirAdapters(model, adapted);
                                        }
                                    }));
                }
                for (Future<?> one : all) {
                    one.get();
                }
            } finally {
                pool.shutdownNow();
            }
        }
    }
}
