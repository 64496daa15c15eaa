package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.translate.TranslatorContext;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.adapters.TrainedInFull;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.UnsupportedDtypeException;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Everything that can be asked of a model, asked of one in 16 bits: DJL ends the process on many
 * operations with bfloat16, and a crash here fails the build.
 */
class HalfSurfaceTest {

    @TempDir private Path directory;

    private static Stream<Arguments> models() {
        return Stream.of("llama3", "openelm", "mixtral", "phi3", "qwen2")
                .flatMap(m -> Stream.of(Arguments.of(m, Dtype.BF16), Arguments.of(m, Dtype.F16)));
    }

    private static CausalLm load(String family, Dtype type) throws IOException {
        return CausalLm.load(TestData.path("golden/" + family + "/model"), Device.cpu(), type);
    }

    private static NDArray ids(NDManager owner) {
        return owner.create(new long[] {5, 6, 7, 8, 9, 10, 11, 12}, new Shape(2, 4));
    }

    private static Map<String, float[]> weights(CausalLm model) {
        Map<String, float[]> weights = new LinkedHashMap<>();
        model.parameters().forEach((name, p) -> weights.put(name, Tensors.toFloats(p.getArray())));
        return weights;
    }

    private static void assertSame(Map<String, float[]> actual, Map<String, float[]> expected) {
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        actual.forEach((name, values) -> assertThat(values).as(name).isEqualTo(expected.get(name)));
    }

    @ParameterizedTest
    @MethodSource("models")
    void theBareModelAnswersEverything(String family, Dtype type) throws Exception {
        try (CausalLm model = load(family, type);
                NDManager scope = model.manager().newSubManager()) {
            assertThat(model.computeDtype()).isEqualTo(type);
            model.parameters()
                    .values()
                    .forEach(
                            p ->
                                    assertThat(ScalarType.of(p.getArray()))
                                            .isEqualTo(WeightTypes.of(type)));
            NDArray ids = ids(scope);
            NDArray logits = model.logits(scope, ids, null);
            assertThat(logits.getDataType()).isEqualTo(DataType.FLOAT32);
            NDArray left = scope.create(new long[] {0, 0, 1, 1, 1, 1, 1, 1}, new Shape(2, 4));
            assertThat(model.logits(scope, ids, left).isNaN().any().getBoolean()).isFalse();
            NDArray right = scope.create(new long[] {1, 1, 1, 0, 1, 1, 0, 0}, new Shape(2, 4));
            double[] losses = model.rowLosses(ids, ids);
            assertThat(model.backward(ids, right, ids, 6)).doesNotContain(Double.NaN);
            assertThat(model.backward(ids, left, ids, 6)).doesNotContain(Double.NaN);
            assertThat(losses[0]).isPositive();
            model.parameters().values().forEach(p -> Gradients.zero(p.getArray()));
            if (family.equals("mixtral")) {
                assertThat(model.routerLoss(ids, left)).isPositive();
            }
            generates(model);
            blocksAnswer(model, scope, ids, logits);
            savesExactly(model, type);
        }
    }

    private static void generates(CausalLm model) {
        GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(5).build();
        long[] alone = new Generator().generate(model, new long[] {5, 6, 7}, config, id -> {});
        List<long[]> together =
                new Generator()
                        .generate(
                                model,
                                List.of(new long[] {5, 6, 7}, new long[] {4}),
                                config,
                                (row, id) -> true);
        assertThat(alone).hasSize(5);
        assertThat(together).hasSize(2);
    }

    private static void blocksAnswer(CausalLm model, NDManager scope, NDArray ids, NDArray logits)
            throws TranslateException {
        Decoder block = model.block();
        NDArray plain =
                block.forward(new ParameterStore(scope, false), new NDList(ids), false)
                        .singletonOrThrow();
        assertThat(plain.toFloatArray()).isEqualTo(logits.toFloatArray());
        try (Model djl = Model.newInstance("half", "PyTorch")) {
            djl.setBlock(block);
            try (Predictor<NDList, NDList> predictor = djl.newPredictor(new NoTranslation())) {
                NDArray predicted = predictor.predict(new NDList(ids)).singletonOrThrow();
                assertThat(predicted.toFloatArray()).isEqualTo(logits.toFloatArray());
            }
        }
        assertThat(block.toString()).isNotEmpty();
    }

    /** Arrays in, arrays out. */
    private static final class NoTranslation implements NoBatchifyTranslator<NDList, NDList> {
        @Override
        public NDList processInput(TranslatorContext context, NDList input) {
            return input;
        }

        @Override
        public NDList processOutput(TranslatorContext context, NDList output) {
            output.detach();
            return output;
        }
    }

    private void savesExactly(CausalLm model, Dtype type) throws IOException {
        Map<String, float[]> before = weights(model);
        for (Dtype written : new Dtype[] {type, Dtype.F32, Dtype.F64}) {
            Path saved = directory.resolve(written.name());
            model.save(saved, written);
            try (CausalLm again = CausalLm.load(saved, Device.cpu(), type)) {
                assertThat(again.dtype()).isEqualTo(written);
                assertSame(weights(again), before);
            }
        }
        Dtype other = type == Dtype.BF16 ? Dtype.F16 : Dtype.BF16;
        model.save(directory.resolve("other"), other);
        try (CausalLm again = CausalLm.load(directory.resolve("other"), Device.cpu())) {
            assertThat(again.dtype()).isEqualTo(other);
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void anAdaptedModelAnswersEverything(String family, Dtype type) throws IOException {
        boolean tied = family.equals("openelm") || family.equals("qwen2");
        try (CausalLm model = load(family, type)) {
            Map<String, float[]> before = weights(model);
            String last =
                    family.equals("openelm") ? "layers.0.attn_norm" : "layers.0.input_layernorm";
            String table = family.equals("openelm") ? "token_embeddings" : "embed_tokens";
            LowRankConfig full =
                    LoraConfig.builder()
                            .setRank(2)
                            .setTargetModules(TargetModules.parse("all-linear"))
                            .optDropout(0.25)
                            .optBias(TrainedInFull.Bias.ALL)
                            .optModulesToSave(last)
                            .build();
            adapt(model, full, before);
            adapt(
                    model,
                    DoraConfig.builder()
                            .setRank(2)
                            .setTargetModules(TargetModules.parse("all-linear"))
                            .optDropout(0.25)
                            .build(),
                    before);
            adapt(
                    model,
                    LoraConfig.builder()
                            .setRank(2)
                            .setTargetModules(TargetModules.parse("all-linear"))
                            .optTrainableTokens(List.of(5, 7))
                            .build(),
                    before);
            if (!tied) {
                adapt(
                        model,
                        DoraConfig.builder().setRank(2).setTargetModules(table, "lm_head").build(),
                        before);
            }
            boolean untied = model.untieHead();
            assertThat(untied).isEqualTo(tied);
        }
    }

    private void adapt(CausalLm model, LowRankConfig config, Map<String, float[]> before)
            throws IOException {
        Path saved = directory.resolve("adapter");
        try (AdaptedModel adapted = Adapters.attach(model.block(), config, 3);
                NDManager scope = model.manager().newSubManager()) {
            NDArray ids = ids(scope);
            float[] bare;
            try (AdapterScope off = adapted.disableAdapter()) {
                bare = model.logits(scope, ids, null).toFloatArray();
            }
            TrainingGradientTest.randomise(model, adapted);
            float[] on = model.logits(scope, ids, null).toFloatArray();
            assertThat(on).isNotEqualTo(bare).doesNotContain(Float.NaN);
            assertThat(model.backward(ids, ids, 6)).doesNotContain(Double.NaN);
            TrainingGradientTest.takeGradients(adapted.adapter().parameters())
                    .forEach((name, g) -> assertThat(g).as(name).doesNotContain(Float.NaN));
            generates(model);
            blockTrains(adapted, scope, ids);
            assertThat(adapted.summary().toString()).contains(model.computeDtype().torchName());
            assertThat(adapted.baseFingerprint()).hasSize(64);
            try (AdapterScope off = adapted.disableAdapter()) {
                assertThat(model.logits(scope, ids, null).toFloatArray()).isEqualTo(bare);
            }
            String site = adapted.adapter().states().keySet().iterator().next();
            assertThat(adapted.adapter().delta(scope, site).getDataType())
                    .isEqualTo(DataType.FLOAT32);
            adapted.save(saved);
            adapted.load("again", saved);
            adapted.activate("again");
            assertThat(model.logits(scope, ids, null).toFloatArray()).isEqualTo(on);
            adapted.delete("again");
            adapted.activate(AdaptedModel.DEFAULT);
            adapted.merge();
            assertThat(model.logits(scope, ids, null).toFloatArray()).doesNotContain(Float.NaN);
            adapted.unmerge();
            assertSame(weights(model), before);
        }
    }

    /** The whole adapted block, as a training loop of DJL's runs it. */
    private static void blockTrains(AdaptedModel adapted, NDManager scope, NDArray ids) {
        Block block = adapted.block();
        try (GradMode on = GradMode.enabled()) {
            NDArray logits =
                    block.forward(new ParameterStore(scope, false), new NDList(ids), true)
                            .singletonOrThrow();
            Gradients.backward(logits.sum());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void whatIsMergedForGoodIsRoundedOnceAndCanBeSaved(Dtype type) throws IOException {
        try (CausalLm wide = load("llama3", Dtype.F32);
                CausalLm half = load("llama3", type)) {
            for (CausalLm model : new CausalLm[] {wide, half}) {
                Adapters.load(model.block(), TestData.path("golden/llama3/dora")).mergeAndUnload();
            }
            half.save(directory.resolve("half"), type);
            wide.save(directory.resolve("wide"), type); // the checkpoint is exact in 16 bits
            try (CausalLm one = CausalLm.load(directory.resolve("half"), Device.cpu());
                    CausalLm other = CausalLm.load(directory.resolve("wide"), Device.cpu())) {
                assertSame(weights(one), weights(other));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void djlsOwnFormatIsRefusedWhereItHasNoNameForTheType(Dtype type) throws IOException {
        try (CausalLm model = load("llama3", type);
                AdaptedModel adapted =
                        Adapters.load(model.block(), TestData.path("golden/llama3/lora"))) {
            for (Block block : new Block[] {model.block(), adapted.block()}) {
                DataOutputStream out = new DataOutputStream(new ByteArrayOutputStream());
                if (type == Dtype.F16) {
                    block.saveParameters(out);
                    assertThat(out.size()).isGreaterThan(1000);
                } else {
                    assertThatThrownBy(() -> block.saveParameters(out))
                            .isInstanceOf(UnsupportedDtypeException.class)
                            .hasMessageContaining("DJL's own format has no bfloat16, but ");
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"F32", "F16", "BF16"})
    void otherTypesAreRefused(Dtype type) {
        assertThatThrownBy(() -> load("llama3", type))
                .isInstanceOf(UnsupportedDtypeException.class)
                .hasMessage(
                        "CausalLm.load: a model computes in F32, F16 or BF16, but was asked for "
                                + type);
        assertThatThrownBy(
                        () ->
                                CausalLm.create(
                                        ModelConfig.read(
                                                TestData.path("golden/llama3/model/config.json")),
                                        Device.cpu(),
                                        type,
                                        1))
                .isInstanceOf(UnsupportedDtypeException.class)
                .hasMessageStartingWith("CausalLm.create: ");
    }
}
