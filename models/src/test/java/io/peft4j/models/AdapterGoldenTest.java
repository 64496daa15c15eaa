package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static io.peft4j.models.Golden.assertGradientClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tiny OpenELM with adapters that PEFT trained, against PEFT. */
class AdapterGoldenTest {

    private static AdapterConfig config(String method) {
        String[] targets = {"qkv_proj", "out_proj", "proj_1", "proj_2"};
        if (method.equals("lora_embed")) {
            String[] more = {"qkv_proj", "out_proj", "proj_1", "proj_2", "token_embeddings"};
            return LoraConfig.builder().setRank(4).optAlpha(4).setTargetModules(more).build();
        }
        return method.equals("lora")
                ? LoraConfig.builder().setRank(4).optAlpha(8).setTargetModules(targets).build()
                : DoraConfig.builder().setRank(4).optAlpha(8).setTargetModules(targets).build();
    }

    /** Attaches the adapter of the goldens, tensor by tensor. */
    static AdaptedModel attach(CausalLm model, String method) {
        AdaptedModel adapted = Adapters.attach(model.block(), config(method), 0);
        try (Golden file = Golden.open("openelm/" + method + "/adapter_model.safetensors");
                RowWriter writer = new RowWriter(model.manager())) {
            assertThat(adapted.adapter().parameters().keySet())
                    .containsExactlyInAnyOrderElementsOf(file.names());
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, parameter) ->
                                    writer.put(
                                            parameter.getArray(),
                                            0,
                                            FloatBuffer.wrap(file.floats(key))));
        }
        return adapted;
    }

    private static float[] logits(CausalLm model, NDArray ids) {
        try (NDManager scope = NDManager.newBaseManager()) {
            return model.logits(scope, ids, null).toFloatArray();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora", "lora_embed"})
    void logitsAndLossWithTheAdapterAreThoseOfPeft(String method) {
        try (CausalLm model = Golden.load();
                Golden base = Golden.open("openelm/golden.safetensors");
                Golden golden = Golden.open("openelm/" + method + "/golden.safetensors");
                AdaptedModel adapted = attach(model, method)) {
            NDArray ids = base.array("input_ids");
            assertClose("on", logits(model, ids), golden.floats("logits"), Golden.LOGITS);
            double[] sums = model.rowLosses(ids, ids);
            assertThat((sums[0] + sums[1]) / 14)
                    .isCloseTo(golden.floats("loss")[0], within(Golden.LOSS));
            try (AdapterScope off = adapted.disableAdapter()) {
                assertClose("off", logits(model, ids), base.floats("logits"), Golden.LOGITS);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void mergedModelIsPeftsAndUnmergeRestoresEveryBit(String method) {
        try (CausalLm model = Golden.load();
                Golden base = Golden.open("openelm/golden.safetensors");
                Golden golden = Golden.open("openelm/" + method + "/golden.safetensors");
                AdaptedModel adapted = attach(model, method)) {
            Map<String, float[]> before = weights(model);
            NDArray ids = base.array("input_ids");
            adapted.merge();
            assertClose("merged", logits(model, ids), golden.floats("merged_logits"), 2e-5);
            String name = "transformer.layers.0.attn.out_proj.weight";
            assertClose(name, weights(model).get(name), golden.floats("merged." + name), 2e-6);
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
    @ValueSource(strings = {"lora", "dora", "lora_embed"})
    void gradientsOfTheAdapterAreThoseOfPeftAndTheBaseGetsNone(String method) {
        try (CausalLm model = Golden.load();
                Golden base = Golden.open("openelm/golden.safetensors");
                Golden golden = Golden.open("openelm/" + method + "/golden.safetensors");
                AdaptedModel adapted = attach(model, method)) {
            NDArray ids = base.array("input_ids");
            model.backward(ids, ids, 14);
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, parameter) ->
                                    assertGradientClose(
                                            key,
                                            parameter.getArray().getGradient().toFloatArray(),
                                            golden.floats("grad." + key)));
            model.parameters()
                    .forEach(
                            (name, p) -> assertThat(p.getArray().hasGradient()).as(name).isFalse());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora", "lora_embed"})
    void baseParametersAreNeverTheAdapters(String method) {
        try (CausalLm model = Golden.load();
                AdaptedModel adapted = attach(model, method)) {
            assertThat(model.parameters().keySet())
                    .containsExactlyElementsOf(model.config().tensors().keySet());
            assertThat(model.block().getOutputShapes(new Shape[] {new Shape(2, 8)})[0])
                    .isEqualTo(new Shape(2, 8, 264));
            assertThat(adapted.summary().all()).isEqualTo(54_528 + adapted.summary().trainable());
        }
    }
}
