package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.ScalarType;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What experts have beyond other layers by kernels: who is reached, and the routers' balance. */
class MixtureKernelsTest {

    private static CausalLm model(int experts, int perToken, boolean balanced) {
        JsonObject json = TinyModels.json("mixtral");
        json.addProperty("num_local_experts", experts);
        json.addProperty("num_experts_per_tok", perToken);
        json.addProperty("output_router_logits", balanced);
        json.addProperty("router_aux_loss_coef", 3.0);
        return TinyModels.model(json, Dtype.F32);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "3,1", "3,3", "9,4"})
    void anyNumberOfExpertsHasAutogradsGradients(int experts, int perToken) {
        try (CausalLm model = model(experts, perToken, false);
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "all-linear")) {
            BothWays.assertSame(model, adapted, true);
        }
    }

    @ParameterizedTest
    @CsvSource({"lora,0", "dora,0.3"})
    void anExpertWithoutTokensHoldsNoGradient(String method, double dropout) {
        try (CausalLm model = model(16, 2, false);
                AdaptedModel adapted = TinyAdapters.attach(model, method, dropout, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope, 3, 1, 4);
            BothWays.backward(model, ids, null, true);
            List<String> byKernels = TinyAdapters.withoutGradient(adapted);
            assertThat(byKernels)
                    .hasSizeBetween(2 * 8 * 3 * 2, 2 * 14 * 3 * 3)
                    .allMatch(name -> name.contains(".experts."));
        }
    }

    @Test
    void theSameExpertsHoldNoGradientAsWithAutograd() {
        try (CausalLm one = model(16, 2, false);
                CausalLm other = model(16, 2, false);
                AdaptedModel byKernels = TinyAdapters.attach(one, "lora", 0.2, "all-linear");
                AdaptedModel byAutograd = TinyAdapters.attach(other, "lora", 0.2, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray mask = TinyModels.mask(scope);
            BothWays.backward(one, ids, mask, true);
            BothWays.backward(other, ids, mask, false);
            assertThat(TinyAdapters.withoutGradient(byKernels))
                    .isNotEmpty()
                    .isEqualTo(TinyAdapters.withoutGradient(byAutograd));
            BothWays.assertSame(
                    TinyAdapters.takeGradients(byKernels), TinyAdapters.takeGradients(byAutograd));
        }
    }

    @ParameterizedTest
    @CsvSource({"lora,false,all-linear", "dora,true,all-linear", "lora,true,gate"})
    void theRoutersBalanceTakesPart(String method, boolean padded, String targets) {
        try (CausalLm model = model(4, 2, true);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0, targets);
                CausalLm unbalanced = model(4, 2, false);
                AdaptedModel same = TinyAdapters.attach(unbalanced, method, 0, targets)) {
            BothWays.assertSame(model, adapted, padded);
            assertThat(routerGradient(model, adapted))
                    .isNotEqualTo(routerGradient(unbalanced, same));
        }
    }

    private static float[] routerGradient(CausalLm model, AdaptedModel adapted) {
        try (NDManager scope = NDManager.newBaseManager()) {
            BothWays.backward(model, TinyModels.ids(scope), null, true);
            return TinyAdapters.takeGradients(adapted).entrySet().stream()
                    .filter(entry -> entry.getKey().contains(".gate."))
                    .map(Map.Entry::getValue)
                    .findFirst()
                    .orElseThrow();
        }
    }

    /** The share of an expert is that of the tokens of all layers, trained or not. */
    @ParameterizedTest
    @ValueSource(strings = {"layers.1.block_sparse_moe.gate", "layers.1.self_attn.q_proj"})
    void theRoutersBalanceCountsLayersBelowTheFirstThatIsTrained(String target) {
        try (CausalLm model = model(4, 2, true);
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, target)) {
            BothWays.assertSame(model, adapted, false);
        }
    }

    @Test
    void paddingAloneIsSentToNoExpertAndLeavesNoTrace() {
        try (CausalLm model = model(4, 2, false);
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "w1", "w2", "gate");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray mask = scope.zeros(ids.getShape(), DataType.INT64);
            model.backward(ids, mask, ids, 10);
            assertThat(model.wasByLayerKernels()).isTrue();
            assertThat(TinyAdapters.withoutGradient(adapted))
                    .containsExactlyElementsOf(adapted.adapter().parameters().keySet());
        }
    }

    @Test
    void textsAreContinuedWithTheBlocksLogits() {
        try (CausalLm model = model(5, 2, false);
                AdaptedModel adapted = TinyAdapters.attach(model, "dora", 0, "all-linear")) {
            float[] byKernels = continued(model);
            model.useLayerKernels(false);
            Golden.assertClose("logits", byKernels, continued(model), 1e-5);
            assertThat(adapted.adapter().parameters()).isNotEmpty();
        }
    }

    /** The last tokens' logits after three tokens, one of them padding, and after two more. */
    private static float[] continued(CausalLm model) {
        long[] ids = {7, 8, 9, 10, 11};
        float[] all = new float[3 * TinyModels.VOCABULARY];
        try (NDManager scope = model.manager().newSubManager();
                KeyValueCache cache =
                        new KeyValueCache(
                                scope, model.block().architecture(), ScalarType.FLOAT32, 1, 8)) {
            Weights weights = model.weights(scope, false);
            for (int end = 3; end <= ids.length; end++) {
                int from = cache.length();
                long[] flags = new long[end];
                Arrays.fill(flags, 1, end, 1);
                NDArray some =
                        scope.create(Arrays.copyOfRange(ids, from, end), new Shape(1, end - from));
                NDArray tokens = scope.create(flags, new Shape(1, end));
                NDArray hidden = model.block().hidden(scope, weights, some, tokens, cache);
                float[] logits = model.block().logits(scope, weights, hidden).toFloatArray();
                int last = logits.length - TinyModels.VOCABULARY;
                int at = (end - 3) * TinyModels.VOCABULARY;
                System.arraycopy(logits, last, all, at, TinyModels.VOCABULARY);
            }
        }
        return all;
    }
}
