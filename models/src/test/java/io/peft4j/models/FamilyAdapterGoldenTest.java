package io.peft4j.models;

import static io.peft4j.models.FamilyGoldenTest.assertGreedy;
import static io.peft4j.models.Golden.assertClose;
import static io.peft4j.models.Golden.assertGradientClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tiny models of all families with the adapters that PEFT saved, against PEFT. */
class FamilyAdapterGoldenTest {

    private static AdaptedModel load(CausalLm model, String adapter) {
        try {
            return Adapters.load(model.block(), TestData.path("golden/" + adapter));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String family(String adapter) {
        return adapter.substring(0, adapter.indexOf('/'));
    }

    private static float[] logits(CausalLm model, NDArray ids) {
        try (NDManager scope = NDManager.newBaseManager()) {
            return model.logits(scope, ids, null).toFloatArray();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3/lora",
                "llama3/dora",
                "llama3/rslora",
                "mixtral/lora",
                "mixtral/dora",
                "phi3/lora",
                "phi3/dora"
            })
    void logitsLossAndTextWithTheAdapterAreThoseOfPeft(String adapter) {
        try (CausalLm model = Golden.load(family(adapter) + "/model");
                Golden base = Golden.open(family(adapter) + "/golden.safetensors");
                Golden golden = Golden.open(adapter + "/golden.safetensors");
                AdaptedModel adapted = load(model, adapter)) {
            NDArray ids = base.array("input_ids");
            assertClose("on", logits(model, ids), golden.floats("logits"), Golden.LOGITS);
            double[] sums = model.rowLosses(ids, ids);
            assertThat(model.wasByLayerKernels()).isTrue();
            assertThat((sums[0] + sums[1]) / 14)
                    .isCloseTo(golden.floats("loss")[0], within(Golden.LOSS));
            assertGreedy(model, golden.longs("greedy"));
            try (AdapterScope off = adapted.disableAdapter()) {
                assertClose("off", logits(model, ids), base.floats("logits"), Golden.LOGITS);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3/lora",
                "llama3/dora",
                "llama3/rslora",
                "mixtral/lora",
                "mixtral/dora",
                "phi3/lora",
                "phi3/dora"
            })
    void mergedModelIsPeftsAndUnmergeRestoresEveryBit(String adapter) {
        try (CausalLm model = Golden.load(family(adapter) + "/model");
                Golden base = Golden.open(family(adapter) + "/golden.safetensors");
                Golden golden = Golden.open(adapter + "/golden.safetensors");
                AdaptedModel adapted = load(model, adapter)) {
            Map<String, float[]> before = weights(model);
            adapted.merge();
            assertClose(
                    "merged",
                    logits(model, base.array("input_ids")),
                    golden.floats("merged_logits"),
                    Golden.LOGITS);
            String merged =
                    golden.names().stream()
                            .filter(name -> name.startsWith("merged."))
                            .findFirst()
                            .orElseThrow();
            String name = merged.substring("merged.".length());
            assertClose(name, weights(model).get(name), golden.floats(merged), 2e-6);
            adapted.unmerge();
            weights(model)
                    .forEach((n, values) -> assertThat(values).containsExactly(before.get(n)));
        }
    }

    private static Map<String, float[]> weights(CausalLm model) {
        Map<String, float[]> weights = new LinkedHashMap<>();
        model.parameters().forEach((name, p) -> weights.put(name, p.getArray().toFloatArray()));
        return weights;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3/lora",
                "llama3/dora",
                "mixtral/lora",
                "mixtral/dora",
                "phi3/lora",
                "phi3/dora"
            })
    void gradientsOfTheAdapterAreThoseOfPeft(String adapter) {
        try (CausalLm model = Golden.load(family(adapter) + "/model");
                Golden base = Golden.open(family(adapter) + "/golden.safetensors");
                Golden golden = Golden.open(adapter + "/golden.safetensors");
                AdaptedModel adapted = load(model, adapter)) {
            NDArray ids = base.array("input_ids");
            model.backward(ids, ids, 14);
            assertThat(model.wasByLayerKernels()).isTrue();
            long expected = golden.names().stream().filter(n -> n.startsWith("grad.")).count();
            assertThat((long) adapted.adapter().parameters().size()).isEqualTo(expected);
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, parameter) ->
                                    assertGradientClose(
                                            key,
                                            parameter.getArray().getGradient().toFloatArray(),
                                            golden.floats("grad." + key)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mixtral/lora", "phi3/dora"})
    void theAdaptedBlockComputesWhatTheModelDoes(String adapter) {
        try (CausalLm model = Golden.load(family(adapter) + "/model");
                Golden base = Golden.open(family(adapter) + "/golden.safetensors");
                Golden golden = Golden.open(adapter + "/golden.safetensors");
                AdaptedModel adapted = load(model, adapter);
                NDManager scope = model.manager().newSubManager()) {
            NDArray ids = base.array("input_ids");
            ParameterStore store = new ParameterStore(scope, false);
            NDArray logits =
                    adapted.block().forward(store, new NDList(ids), false).singletonOrThrow();
            assertClose("block", logits.toFloatArray(), golden.floats("logits"), Golden.LOGITS);
        }
    }
}
