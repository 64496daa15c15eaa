package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Losses without gradients, by layers' kernels and by the blocks. */
class LayerLossesTest {

    @ParameterizedTest
    @CsvSource({
        "llama,lora",
        "biased,dora",
        "qwen2,lora",
        "mistral,dora",
        "phi3,lora",
        "openelm,dora",
        "mixtral,lora",
        "mixtral,dora"
    })
    void areThoseOfTheBlocksAndLeaveNoGradient(String family, String method) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0.4, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope, 8, 3, 11);
            NDArray labels = TinyModels.labels(scope, ids, null);
            double[] actual = losses(model, ids, labels, true);
            double[] expected = losses(model, ids, labels, false);
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], within(1e-6 * expected[i]));
            }
            assertThat(TinyAdapters.withoutGradient(adapted))
                    .containsExactlyElementsOf(adapted.adapter().parameters().keySet());
        }
    }

    private static double[] losses(CausalLm model, NDArray ids, NDArray labels, boolean byKernels) {
        model.useLayerKernels(byKernels);
        double[] losses = model.rowLosses(ids, labels);
        assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
        return losses;
    }

    /** A frozen model goes by kernels as well. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "mixtral"})
    void ofAModelWithoutAdaptersAreThoseOfTheBlocks(String family) {
        try (CausalLm model = TinyModels.model(family);
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            double[] actual = losses(model, ids, ids, true);
            double[] expected = losses(model, ids, ids, false);
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], within(1e-6 * expected[i]));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void anAdapterOfTheHeadCounts(String method) {
        try (CausalLm model = TinyModels.model("mistral");
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0.4, "lm_head");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            double actual = losses(model, ids, ids, true)[0];
            assertThat(actual).isCloseTo(losses(model, ids, ids, false)[0], within(1e-6 * actual));
            try (AdapterScope off = adapted.disableAdapter()) {
                assertThat(losses(model, ids, ids, true)[0]).isNotCloseTo(actual, within(0.01));
            }
        }
    }

    /** More labels than a chunk of logits has rows. */
    @Test
    void ofManyLabelsAreThoseOfTheBlocks() {
        try (CausalLm model = TrainingGradientTest.model(false, true);
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TrainingGradientTest.ids(scope, 20_000);
            NDArray labels = TrainingGradientTest.labels(scope, ids);
            double[] actual = losses(model, ids, labels, true);
            double[] expected = losses(model, ids, labels, false);
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], within(1e-6 * expected[i]));
            }
        }
    }
}
