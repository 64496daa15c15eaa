package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.ScalarType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {

    private static CausalLm model;
    private static Golden golden;

    @BeforeAll
    static void open() {
        model = Golden.load();
        golden = Golden.open("openelm/golden.safetensors");
    }

    @AfterAll
    static void close() {
        golden.close();
        model.close();
    }

    private static long[] generate(CausalLm model, long[] prompt, GenerationConfig config) {
        List<Long> told = new ArrayList<>();
        long[] generated = new Generator().generate(model, prompt, config, told::add);
        assertThat(told).containsExactlyElementsOf(Arrays.stream(generated).boxed().toList());
        return generated;
    }

    private static void assertGreedy(CausalLm model, long[] expected) {
        long[] prompt = Arrays.copyOf(expected, 4);
        GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(8).build();
        assertThat(generate(model, prompt, config))
                .containsExactly(Arrays.copyOfRange(expected, 4, 12));
    }

    @Test
    void greedyTextIsThatOfPyTorch() {
        assertGreedy(model, golden.longs("greedy"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora", "lora_embed"})
    void greedyTextWithAnAdapterIsThatOfPeft(String method) {
        try (CausalLm base = Golden.load();
                Golden adapter = Golden.open("openelm/" + method + "/golden.safetensors");
                AdaptedModel adapted = AdapterGoldenTest.attach(base, method)) {
            assertGreedy(base, adapter.longs("greedy"));
            try (AdapterScope off = adapted.disableAdapter()) {
                assertGreedy(base, golden.longs("greedy"));
            }
        }
    }

    @Test
    void logitsWithCachedKeysAreThoseOfTheWholeText() {
        long[] text = new java.util.Random(4).longs(20, 0, 264).toArray();
        try (NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                GradMode off = GradMode.disabled();
                KeyValueCache cache =
                        new KeyValueCache(
                                scope, model.config().architecture(), ScalarType.FLOAT32, 1, 20)) {
            NDArray ids = scope.create(text, new Shape(1, 20));
            float[] whole = model.logits(scope, ids, null).toFloatArray();
            long[] next = Arrays.copyOf(text, 7);
            for (int end = 7; end <= 20; end++) {
                assertThat(cache.length()).isEqualTo(end == 7 ? 0 : end - 1);
                assertClose(
                        "after " + end,
                        Generator.lastLogits(model, scope, next, cache),
                        Arrays.copyOfRange(whole, (end - 1) * 264, end * 264),
                        Golden.LOGITS);
                next = end < 20 ? new long[] {text[end]} : next;
            }
            assertThatThrownBy(() -> Generator.lastLogits(model, scope, new long[] {1}, cache))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("one at a time up to 20, found 1 after 20");
        }
    }

    @Test
    void anEndingTokenIsTheLast() {
        long[] greedy = golden.longs("greedy");
        GenerationConfig config =
                GenerationConfig.builder().optEosIds(List.of(9999L, greedy[6])).build();
        long[] generated =
                generate(
                        model,
                        Arrays.copyOf(greedy, 4),
                        config.toBuilder().optMaxNewTokens(60).build());
        assertThat(generated).endsWith(greedy[6]).hasSizeLessThanOrEqualTo(3);
    }

    @Test
    void samplesDependOnTheSeedAlone() {
        long[] prompt = {1, 5, 9};
        GenerationConfig.Builder warm =
                GenerationConfig.builder().optMaxNewTokens(30).optTemperature(1.5);
        long[] first = generate(model, prompt, warm.optSeed(1).build());
        assertThat(generate(model, prompt, warm.optSeed(1).build())).containsExactly(first);
        assertThat(generate(model, prompt, warm.optSeed(2).build())).isNotEqualTo(first);
    }

    @Test
    void theLikeliestTokenAloneIsGreedy() {
        long[] prompt = {1, 5, 9};
        GenerationConfig.Builder config = GenerationConfig.builder().optMaxNewTokens(20);
        long[] greedy = generate(model, prompt, config.build());
        config.optTemperature(2);
        assertThat(generate(model, prompt, config.optTopK(1).build())).containsExactly(greedy);
        assertThat(generate(model, prompt, config.optTopK(0).optTopP(1e-9).build()))
                .containsExactly(greedy);
    }

    @Test
    void whatDoesNotFitTheContextIsRefused() {
        GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(60).build();
        assertThat(generate(model, new long[] {1, 2, 3, 4}, config)).hasSize(60);
        assertThatThrownBy(() -> generate(model, new long[] {1, 2, 3, 4, 5}, config))
                .isInstanceOf(InvalidTokensException.class)
                .hasMessageContaining("at most 64 tokens")
                .hasMessageContaining("a prompt of 5 and 60 new ones");
        assertThatThrownBy(() -> generate(model, new long[0], config))
                .isInstanceOf(InvalidTokensException.class)
                .hasMessageContaining("at least one token");
        assertThatThrownBy(() -> generate(model, new long[] {264}, config))
                .isInstanceOf(InvalidTokensException.class)
                .hasMessageContaining("found 264");
    }

    @Test
    void generationLeavesNoArrayBehind() {
        GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(5).build();
        generate(model, new long[] {1}, config);
        int before = model.manager().getManagedArrays().size();
        for (int i = 0; i < 10; i++) {
            generate(model, new long[] {1, i}, config);
        }
        assertThat(model.manager().getManagedArrays()).hasSize(before);
    }
}
