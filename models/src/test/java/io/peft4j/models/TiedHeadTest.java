package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.TiedWeightException;
import io.peft4j.adapters.TrainedInFull;
import io.peft4j.lora.LoraConfig;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapters of embeddings whose matrix is the output head's as well. */
class TiedHeadTest {

    private static final String HEAD = "lm_head.weight";

    /** What an adapter changes of the shared matrix, in embeddings and head alike. */
    private enum Kept {
        ROWS(c -> c.optTrainableTokens(List.of(3, 19_999, 77))),
        WHOLE(c -> c.optModulesToSave("token_embeddings").optEnsureWeightTying(true)),
        LOW_RANK(c -> targets(c, "qkv_proj", "token_embeddings").optEnsureWeightTying(true)),
        /** The effective weight alone, which all chunks of the loss share with the embeddings. */
        DENSE(c -> targets(c, "qkv_proj", "token_embeddings").optEnsureWeightTying(true));

        private final UnaryOperator<LoraConfig.Builder> settings;

        Kept(UnaryOperator<LoraConfig.Builder> settings) {
            this.settings = settings;
        }

        private static LoraConfig.Builder targets(LoraConfig.Builder config, String... names) {
            return config.setTargetModules(names);
        }

        AdapterConfig config() {
            LoraConfig.Builder builder =
                    LoraConfig.builder().setRank(4).setTargetModules("qkv_proj");
            AdapterConfig config = settings.apply(builder).build();
            return this == DENSE ? new Dense(config) : config;
        }
    }

    @ParameterizedTest
    @EnumSource
    void anAdapterOfBothIsTrainedThroughBothInChunksAsWithoutThem(Kept kept) {
        try (CausalLm model = TrainingGradientTest.model(true, true);
                NDManager scope = NDManager.newBaseManager();
                AdaptedModel adapted = Adapters.attach(model.block(), kept.config(), 1)) {
            Map<String, Parameter> own = adapted.adapter().parameters();
            NDArray ids = TrainingGradientTest.ids(scope, 20_000);
            NDArray labels = TrainingGradientTest.labels(scope, ids);
            double base = TrainingGradientTest.sum(model.rowLosses(ids, labels));
            TrainingGradientTest.randomise(model, adapted);
            double loss = TrainingGradientTest.sum(model.backward(ids, labels, 1));
            Map<String, float[]> ours = TrainingGradientTest.takeGradients(own);
            double plain = TrainingGradientTest.plainBackward(model, ids, labels, 1);
            assertThat(loss).isCloseTo(plain, within(1e-5 * plain)).isNotCloseTo(base, within(0.1));
            assertThat(TrainingGradientTest.sum(model.rowLosses(ids, labels)))
                    .isCloseTo(loss, within(1e-6 * loss));
            TrainingGradientTest.takeGradients(own)
                    .forEach(
                            (key, values) ->
                                    TrainingGradientTest.assertGradients(
                                            key, ours.get(key), values));
            model.backward(ids, labels, 1); // the next step has a graph of its own
        }
    }

    @ParameterizedTest
    @EnumSource
    void mergingAnAdapterOfBothKeepsThemTied(Kept kept) {
        try (CausalLm model = TrainingGradientTest.model(true, true);
                NDManager scope = NDManager.newBaseManager();
                AdaptedModel adapted = Adapters.attach(model.block(), kept.config(), 1)) {
            TrainingGradientTest.randomise(model, adapted);
            NDArray ids = TrainingGradientTest.ids(scope, 20_000);
            float[] unmerged = model.logits(scope, ids, null).toFloatArray();
            assertThat(adapted.keepsTied()).isTrue();
            assertThatThrownBy(model::untieHead)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("changes embeddings and head together");
            adapted.merge();
            assertClose(
                    "merged", model.logits(scope, ids, null).toFloatArray(), unmerged, 2e-4, 1e-4);
            assertThat(model.parameters()).doesNotContainKey(HEAD);
            assertThat(model.config().hasTiedHead()).isTrue();
        }
    }

    @Test
    void gradientOfTrainedRowsIsTheSlopeOfTheLoss() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors");
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                LoraConfig.builder()
                                        .setRank(2)
                                        .setTargetModules("qkv_proj")
                                        .optTrainableTokens(List.of(1, 5, 200))
                                        .build());
                RowWriter writer = new RowWriter(model.manager())) {
            NDArray ids = golden.array("input_ids");
            Parameter rows =
                    adapted.adapter()
                            .parameters()
                            .get(
                                    "base_model.model.transformer.token_embeddings"
                                            + ".token_adapter.trainable_tokens_delta");
            TrainingGradientTest.randomise(model, adapted);
            float[] at = rows.getArray().toFloatArray();
            model.backward(ids, ids, 1);
            float[] gradient = rows.getArray().getGradient().toFloatArray();
            double norm = 0;
            for (float g : gradient) {
                norm += (double) g * g;
            }
            double step = 2e-3 / Math.sqrt(norm);
            double[] losses = new double[2];
            for (int side = 0; side < 2; side++) {
                float[] moved = at.clone();
                for (int i = 0; i < moved.length; i++) {
                    moved[i] += (float) ((side * 2 - 1) * step * gradient[i]);
                }
                writer.put(rows.getArray(), 0, FloatBuffer.wrap(moved));
                double[] sums = model.rowLosses(ids, ids);
                losses[side] = sums[0] + sums[1];
            }
            double slope = (losses[1] - losses[0]) / (2 * step);
            assertThat(slope).isCloseTo(norm, within(0.02 * norm));
        }
    }

    @Test
    void anAdapterOfTheEmbeddingsAloneIsMergedOnceTheHeadIsUntied(@TempDir Path directory)
            throws IOException {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors");
                NDManager scope = NDManager.newBaseManager();
                AdaptedModel adapted =
                        Adapters.load(model.block(), TestData.path("golden/openelm/lora_embed"))) {
            NDArray ids = golden.array("input_ids");
            float[] unmerged = model.logits(scope, ids, null).toFloatArray();
            assertThatThrownBy(adapted::merge)
                    .isInstanceOf(TiedWeightException.class)
                    .hasMessageContaining("transformer.token_embeddings")
                    .hasMessageContaining("lm_head");
            assertThat(model.logits(scope, ids, null).toFloatArray()).isEqualTo(unmerged);
            assertThat(model.untieHead()).isTrue();
            assertThat(model.untieHead()).isFalse();
            assertThat(model.parameters().get(HEAD).requiresGradient()).isFalse();
            assertClose("untied", model.logits(scope, ids, null).toFloatArray(), unmerged, 1e-6);
            adapted.merge();
            assertClose("merged", model.logits(scope, ids, null).toFloatArray(), unmerged, 2e-5);
            model.save(directory, Dtype.F32);
        }
        JsonObject config =
                JsonParser.parseString(Files.readString(directory.resolve("config.json")))
                        .getAsJsonObject();
        assertThat(config.get("tie_word_embeddings").getAsBoolean()).isFalse();
        assertThat(config.get("share_input_output_layers").getAsBoolean()).isFalse();
        try (CausalLm merged = CausalLm.load(directory, Device.cpu());
                Golden golden = Golden.open("openelm/golden.safetensors");
                Golden adapter = Golden.open("openelm/lora_embed/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            assertThat(merged.parameters()).containsKey(HEAD);
            float[] logits = merged.logits(scope, golden.array("input_ids"), null).toFloatArray();
            assertClose("saved", logits, adapter.floats("logits"), Golden.LOGITS);
        }
    }

    @Test
    void afterUntyingAnAdapterCanTargetTheHeadAndUnmergeRestoresEveryBit() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = golden.array("input_ids");
            float[] base = model.logits(scope, ids, null).toFloatArray();
            model.untieHead();
            LoraConfig head = LoraConfig.builder().setRank(2).setTargetModules("lm_head").build();
            try (AdaptedModel adapted = Adapters.attach(model.block(), head)) {
                TrainingGradientTest.randomise(model, adapted);
                float[] unmerged = model.logits(scope, ids, null).toFloatArray();
                assertThat(unmerged).isNotEqualTo(base);
                adapted.merge();
                assertClose(
                        "merged", model.logits(scope, ids, null).toFloatArray(), unmerged, 1e-4);
                adapted.unmerge();
            }
            float[] after = model.logits(scope, ids, null).toFloatArray();
            assertClose("after", after, base, 1e-6);
            assertThat(model.parameters().get(HEAD).getArray().toFloatArray())
                    .isEqualTo(
                            model.parameters()
                                    .get("transformer.token_embeddings.weight")
                                    .getArray()
                                    .toFloatArray());
        }
    }

    @Test
    void untyingAModelThatIsTrainedWholeTrainsBothMatrices() {
        try (CausalLm model = Golden.load();
                Golden golden = Golden.open("openelm/golden.safetensors")) {
            model.untieHead();
            NDArray ids = golden.array("input_ids");
            model.backward(ids, ids, 14);
            Map<String, float[]> gradients = TrainingGradientTest.takeGradients(model.parameters());
            float[] head = gradients.get(HEAD);
            float[] embeddings = gradients.get("transformer.token_embeddings.weight");
            try (Golden full = Golden.open("openelm/full/golden.safetensors")) {
                float[] both = full.floats("grad.transformer.token_embeddings.weight");
                for (int i = 0; i < both.length; i++) {
                    both[i] -= head[i];
                }
                Golden.assertGradientClose("embeddings", embeddings, both);
            }
        }
    }

    /** A method that has nothing but its effective weight. */
    private record Dense(AdapterConfig config) implements AdapterConfig {

        @Override
        public String method() {
            return config.method();
        }

        @Override
        public TargetModules targetModules() {
            return config.targetModules();
        }

        @Override
        public TrainedInFull trainedInFull() {
            return config.trainedInFull();
        }

        @Override
        public boolean ensureWeightTying() {
            return config.ensureWeightTying();
        }

        @Override
        public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
            return new DenseState(config.create(site, weight, owner, seed));
        }

        @Override
        public PeftConfig toPeft() {
            return config.toPeft();
        }
    }

    private record DenseState(AdapterState state) implements AdapterState {

        @Override
        public Map<String, Parameter> parameters() {
            return state.parameters();
        }

        @Override
        public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
            return state.effectiveWeight(weight, store, training);
        }

        @Override
        public Map<String, String> tiedKeys() {
            return state.tiedKeys();
        }

        @Override
        public void close() {
            state.close();
        }
    }
}
