package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A score head: what it computes, and the gradients of what is computed from it. */
class ScoreHeadTest {

    private static final String KEY = "base_model.model.score.weight";

    private static TargetModules targets(String... names) {
        TargetModules targets =
                names[0].equals("all-linear")
                        ? TargetModules.builder().optAllLinear().build()
                        : TargetModules.of(names);
        return targets.withModulesToSave(List.of("score"));
    }

    static AdapterConfig config(String method, double dropout, String... names) {
        TargetModules targets = targets(names);
        return method.equals("lora")
                ? LoraConfig.builder()
                        .setRank(3)
                        .optAlpha(5)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build()
                : DoraConfig.builder()
                        .setRank(3)
                        .optAlpha(5)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build();
    }

    private static AdaptedModel attach(CausalLm model, String method, String... targets) {
        model.addScoreHead(3);
        AdaptedModel adapted = Adapters.attach(model.block(), config(method, 0, targets), 1);
        TrainingGradientTest.randomise(model, adapted);
        return adapted;
    }

    /** Every third token. */
    private static NDArray wanted(NDManager owner, NDArray ids, @Nullable NDArray mask) {
        long[] marks = new long[(int) ids.size()];
        long[] tokens = mask == null ? null : mask.toLongArray();
        for (int i = 0; i < marks.length; i++) {
            marks[i] = i % 3 == 2 && (tokens == null || tokens[i] == 1) ? 1 : 0;
        }
        return owner.create(marks, ids.getShape());
    }

    /** The slopes of a sum of squares. */
    private static float[] squares(HeadScores scores) {
        float[] slopes = new float[scores.count()];
        for (int i = 0; i < slopes.length; i++) {
            slopes[i] = 2 * scores.score(i) + 0.3f * scores.rowOf(i);
        }
        return slopes;
    }

    @ParameterizedTest
    @CsvSource({
        "llama,lora,all-linear,false",
        "llama,dora,all-linear,true",
        "llama,lora,layers.1.mlp.up_proj,false",
        "phi3,lora,all-linear,true",
        "phi3,dora,all-linear,false",
        "openelm,lora,all-linear,false",
        "openelm,dora,all-linear,false",
        "mixtral,lora,all-linear,true",
        "mixtral,dora,all-linear,false"
    })
    void gradientsByKernelsAreAutograds(
            String family, String method, String targets, boolean padded) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = attach(model, method, targets);
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray mask = padded ? TinyModels.mask(scope) : null;
            NDArray wanted = wanted(scope, ids, mask);
            model.useLayerKernels(false);
            HeadScores expected =
                    model.backwardFromHead(ids, mask, wanted, ScoreHeadTest::squares, 1);
            assertThat(model.wasByLayerKernels()).isFalse();
            Map<String, float[]> gradients = TinyAdapters.takeGradients(adapted);
            assertThat(gradients).containsKey(KEY);
            model.useLayerKernels(true);
            for (boolean again : new boolean[] {false, true}) {
                model.useGradientCheckpointing(again);
                HeadScores scores =
                        model.backwardFromHead(ids, mask, wanted, ScoreHeadTest::squares, 1);
                assertThat(model.wasByLayerKernels()).isTrue();
                assertSame(scores, expected, 1e-5);
                BothWays.assertSame(TinyAdapters.takeGradients(adapted), gradients);
            }
        }
    }

    private static void assertSame(HeadScores actual, HeadScores expected, double tolerance) {
        assertThat(actual.count()).isEqualTo(expected.count()).isPositive();
        assertThat(actual.rows()).isEqualTo(expected.rows());
        for (int i = 0; i < actual.count(); i++) {
            assertThat(actual.rowOf(i)).isEqualTo(expected.rowOf(i));
            assertThat(actual.score(i)).isCloseTo(expected.score(i), within((float) tolerance));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theGradientIsTheSlopeOfTheLoss(boolean byKernels) {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = attach(model, "lora", "q_proj", "down_proj");
                NDManager scope = NDManager.newBaseManager();
                RowWriter writer = new RowWriter(model.manager())) {
            model.useLayerKernels(byKernels);
            NDArray ids = TinyModels.ids(scope);
            NDArray wanted = wanted(scope, ids, null);
            model.backwardFromHead(ids, null, wanted, ScoreHeadTest::squares, 1);
            Map<String, float[]> gradients = TinyAdapters.takeGradients(adapted);
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (name, parameter) -> {
                                float[] g = gradients.get(name);
                                float[] at = parameter.getArray().toFloatArray();
                                double norm = 0;
                                for (float value : g) {
                                    norm += value * value;
                                }
                                double step = 1e-2 / Math.sqrt(norm);
                                double[] losses = new double[2];
                                for (int side = 0; side < 2; side++) {
                                    float[] moved = at.clone();
                                    for (int i = 0; i < moved.length; i++) {
                                        moved[i] += (float) ((2 * side - 1) * step * g[i]);
                                    }
                                    writer.put(parameter.getArray(), 0, FloatBuffer.wrap(moved));
                                    losses[side] = loss(model.headScores(ids, wanted));
                                }
                                writer.put(parameter.getArray(), 0, FloatBuffer.wrap(at));
                                assertThat((losses[1] - losses[0]) / (2 * step))
                                        .as(name)
                                        .isCloseTo(norm, within(5e-3 * norm + 1e-4));
                            });
        }
    }

    private static double loss(HeadScores scores) {
        double loss = 0;
        for (int i = 0; i < scores.count(); i++) {
            double score = scores.score(i);
            loss += score * score + 0.3 * scores.rowOf(i) * score;
        }
        return loss;
    }

    @Test
    void aLowRankUpdateOfTheHeadIsLeftToAutograd() {
        try (CausalLm model = TinyModels.model("llama")) {
            model.addScoreHead(3);
            try (AdaptedModel adapted =
                            TinyAdapters.attach(
                                    model, "lora", 0.3, "score", "layers.0.mlp.up_proj");
                    NDManager scope = NDManager.newBaseManager()) {
                NDArray ids = TinyModels.ids(scope);
                NDArray wanted = wanted(scope, ids, null);
                model.backwardFromHead(ids, null, wanted, ScoreHeadTest::squares, 1);
                assertThat(model.wasByLayerKernels()).isFalse();
                assertThat(TinyAdapters.takeGradients(adapted))
                        .containsKey("base_model.model.score.lora_A.weight")
                        .hasSize(4);
            }
        }
    }

    @Test
    void nothingBelowTheLastLayersIsNeededToTrainTheHeadAlone() {
        try (CausalLm model = TinyModels.model("llama");
                NDManager scope = NDManager.newBaseManager()) {
            model.addScoreHead(3);
            model.parameters().values().forEach(parameter -> parameter.freeze(true));
            NDArray ids = TinyModels.ids(scope);
            NDArray wanted = wanted(scope, ids, null);
            float[][] gradients = new float[2][];
            for (int i = 0; i < 2; i++) {
                model.useLayerKernels(i == 1);
                model.backwardFromHead(ids, null, wanted, ScoreHeadTest::squares, 1);
                assertThat(model.wasByLayerKernels()).isEqualTo(i == 1);
                gradients[i] =
                        TrainingGradientTest.takeGradients(Map.of("score", headOf(model).weight()))
                                .get("score");
            }
            BothWays.assertSame(Map.of("score", gradients[1]), Map.of("score", gradients[0]));
        }
    }

    private static AdaptableLinear headOf(CausalLm model) {
        return Objects.requireNonNull(model.block().scoreHead());
    }

    @Test
    void scoresInBfloat16AreThoseOfFloat32UpToItsRounding() {
        try (CausalLm model = TinyModels.model(TinyModels.json("llama"), Dtype.BF16);
                AdaptedModel adapted = attach(model, "dora", "all-linear");
                CausalLm wide = TinyModels.model("llama");
                AdaptedModel wideAdapted = attach(wide, "dora", "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray wanted = wanted(scope, ids, null);
            HeadScores exact = wide.headScores(ids, wanted);
            assertThat(wideAdapted.names()).hasSize(1);
            assertThat(headOf(model).weight().getArray().getDataType()).isEqualTo(DataType.FLOAT32);
            Map<String, float[]> expected = null;
            for (boolean byKernels : new boolean[] {false, true}) {
                model.useLayerKernels(byKernels);
                assertSame(model.headScores(ids, wanted), exact, 0.05);
                model.backwardFromHead(ids, null, wanted, ScoreHeadTest::squares, 1);
                assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
                Map<String, float[]> gradients = TinyAdapters.takeGradients(adapted);
                if (expected == null) {
                    expected = gradients;
                } else {
                    assertAlike(gradients, expected);
                }
            }
        }
    }

    /** All together, within the rounding of bfloat16. */
    private static void assertAlike(Map<String, float[]> actual, Map<String, float[]> expected) {
        double difference = 0;
        double norm = 0;
        for (Map.Entry<String, float[]> entry : actual.entrySet()) {
            float[] other = expected.get(entry.getKey());
            for (int i = 0; i < other.length; i++) {
                difference += Math.pow(entry.getValue()[i] - other[i], 2);
                norm += Math.pow(other[i], 2);
            }
        }
        assertThat(Math.sqrt(difference)).isLessThan(0.02 * Math.sqrt(norm));
    }

    @Test
    void theHeadIsNoPartOfTheBase(@TempDir Path directory) throws IOException {
        try (CausalLm model = TinyModels.model("openelm");
                CausalLm plain = TinyModels.model("openelm")) {
            String fingerprint = Adapters.baseFingerprint(model.block());
            assertThat(model.hasScoreHead()).isFalse();
            assertThat(model.addScoreHead(3)).isTrue();
            assertThat(model.addScoreHead(4)).isFalse();
            assertThat(model.hasScoreHead()).isTrue();
            assertThat(Adapters.baseFingerprint(model.block())).isEqualTo(fingerprint);
            assertThat(model.parameters()).containsOnlyKeys(plain.parameters().keySet());
            model.untieHead();
            assertThat(model.parameters()).doesNotContainKey("score.weight");
            model.save(directory, Dtype.F32);
            try (CausalLm loaded = CausalLm.load(directory, model.device())) {
                assertThat(loaded.hasScoreHead()).isFalse();
            }
        }
    }

    @Test
    void allLinearNeverTargetsIt() {
        try (CausalLm model = TinyModels.model("llama")) {
            AdapterConfig all = TinyAdapters.config("lora", 0, "q_proj");
            assertThat(Adapters.dryRun(model.block(), all)).isNotEmpty();
            AdapterConfig linear =
                    LoraConfig.builder()
                            .setRank(2)
                            .setTargetModules(TargetModules.builder().optAllLinear().build())
                            .build();
            List<String> before = paths(Adapters.dryRun(model.block(), linear));
            model.addScoreHead(3);
            assertThat(paths(Adapters.dryRun(model.block(), linear)))
                    .isEqualTo(before)
                    .doesNotContain("score");
        }
    }

    private static List<String> paths(List<Site> sites) {
        return sites.stream().map(Site::path).toList();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void eachRoleHasItsOwnHeadInItsScope(boolean byKernels) {
        try (CausalLm model = TinyModels.model("llama")) {
            model.addScoreHead(3);
            try (AdaptedModel adapted =
                            Adapters.attach(
                                    model.block(), TinyAdapters.config("lora", 0, "q_proj"), 1);
                    NDManager scope = NDManager.newBaseManager()) {
                model.useLayerKernels(byKernels);
                adapted.add("reward", config("lora", 0, "q_proj"), 1);
                adapted.add("value", config("dora", 0, "down_proj"), 2);
                fill(model, adapted, "reward", 0.5f);
                fill(model, adapted, "value", -0.25f);
                NDArray ids = TinyModels.ids(scope);
                NDArray wanted = wanted(scope, ids, null);
                HeadScores base = model.headScores(ids, wanted);
                HeadScores reward = inScope(adapted, "reward", () -> model.headScores(ids, wanted));
                assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
                HeadScores value = inScope(adapted, "value", () -> model.headScores(ids, wanted));
                for (int i = 0; i < base.count(); i++) { // new adapters change nothing else
                    assertThat(value.score(i)).isCloseTo(-0.5f * reward.score(i), within(1e-5f));
                    assertThat(Math.abs(base.score(i) - reward.score(i))).isGreaterThan(1e-3f);
                }
                assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
                adapted.activate("value");
                model.backwardFromHead(ids, null, wanted, ScoreHeadTest::squares, 1);
                assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
                assertThat(TinyAdapters.withoutGradient(adapted)).isEmpty();
            }
        }
    }

    private static void fill(CausalLm model, AdaptedModel adapted, String name, float value) {
        NDArray weight = adapted.adapter(name).parameters().get(KEY).getArray();
        float[] values = new float[(int) weight.size()];
        Arrays.fill(values, value);
        try (RowWriter writer = new RowWriter(model.manager())) {
            writer.put(weight, 0, FloatBuffer.wrap(values));
        }
    }

    private static HeadScores inScope(
            AdaptedModel adapted, String name, Supplier<HeadScores> scores) {
        try (AdapterScope scope = adapted.use(name)) {
            return scores.get();
        }
    }

    @ParameterizedTest
    @CsvSource({"llama,dora", "phi3,lora", "openelm,dora", "mixtral,lora"})
    void aSavedAdapterHasItsHeadWithIt(String family, String method, @TempDir Path directory)
            throws IOException {
        try (CausalLm model = TinyModels.model(family);
                CausalLm other = TinyModels.model(family);
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray wanted = wanted(scope, ids, null);
            HeadScores expected;
            try (AdaptedModel adapted = attach(model, method, "all-linear")) {
                adapted.save(directory);
                expected = model.headScores(ids, wanted);
            }
            other.addScoreHead(99);
            try (AdaptedModel adapted = Adapters.load(other.block(), directory)) {
                assertThat(adapted.adapter().parameters()).containsKey(KEY);
                assertSame(other.headScores(ids, wanted), expected, 0);
            }
        }
    }

    @Test
    void anObjectiveIsAskedOnceAlsoOfABatchWithoutWantedTokens() {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = attach(model, "lora", "q_proj");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray none = scope.zeros(ids.getShape(), DataType.INT64);
            List<HeadScores> asked = new ArrayList<>();
            HeadScores scores =
                    model.backwardFromHead(
                            ids,
                            null,
                            none,
                            told -> {
                                asked.add(told);
                                return new float[0];
                            },
                            1);
            assertThat(asked).containsExactly(scores);
            assertThat(scores.count()).isZero();
            assertThat(model.headScores(ids, none).count()).isZero();
            assertThat(adapted.names()).hasSize(1);
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (CausalLm model = TinyModels.model("llama");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            assertThatThrownBy(() -> model.headScores(ids, ids.zerosLike()))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("no score head");
            try (AdaptedModel adapted = attach(model, "lora", "q_proj")) {
                assertThat(adapted.names()).hasSize(1);
                assertThatThrownBy(() -> model.headScores(ids, ids.zerosLike().add(2)))
                        .isInstanceOf(InvalidTokensException.class)
                        .hasMessageContaining("found 2 in row 0, position 0");
                NDArray one = scope.zeros(new Shape(1, 3), DataType.INT64);
                assertThatThrownBy(() -> model.headScores(ids, one))
                        .isInstanceOf(InvalidTokensException.class)
                        .hasMessageContaining("of the ids' shape");
                NDArray wanted = wanted(scope, ids, null);
                assertThatThrownBy(
                                () ->
                                        model.backwardFromHead(
                                                ids, null, wanted, told -> new float[1], 1))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("expected 6 slopes, found 1");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void nothingIsLeftBehind(boolean byKernels) {
        try (CausalLm model = TinyModels.model("mixtral");
                AdaptedModel adapted = attach(model, "dora", "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            model.useLayerKernels(byKernels);
            NDArray ids = TinyModels.ids(scope);
            NDArray wanted = wanted(scope, ids, null);
            int before = 0;
            for (int i = 0; i < 6; i++) {
                model.backwardFromHead(ids, null, wanted, ScoreHeadTest::squares, 1);
                model.headScores(ids, wanted);
                TinyAdapters.takeGradients(adapted);
                int now = model.manager().getManagedArrays().size();
                if (i == 1) {
                    before = now;
                }
                assertThat(i < 2 || now == before).as(now + " arrays, were " + before).isTrue();
            }
        }
    }
}
