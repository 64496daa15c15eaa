package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TrainedInFull;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.lora.LoraInit;
import io.peft4j.models.CausalLm;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The reference of adapters with more to them than A and B that begin at zero. */
class ReferenceOfAdaptersTest {

    private enum Kind {
        LORA(true, () -> lora().build()),
        PISSA(false, () -> lora().optInit(LoraInit.PISSA).build()),
        PISSA_NEAR(false, () -> lora().optInit(LoraInit.pissa(4)).build()),
        OLORA(false, () -> lora().optInit(LoraInit.OLORA).build()),
        ORTHOGONAL(true, () -> lora().optInit(LoraInit.ORTHOGONAL).build()),
        RS_LORA(true, () -> lora().optRsLora(true).build()),
        LORA_BIAS(false, () -> lora().optLoraBias(true).build()),
        OWN_BIASES(false, () -> lora().optBias(TrainedInFull.Bias.ADAPTED).build()),
        ALL_BIASES(false, () -> lora().optBias(TrainedInFull.Bias.ALL).build()),
        MODULES_TO_SAVE(false, () -> lora().optModulesToSave("lm_head").build()),
        TOKEN_ROWS(false, () -> lora().optTrainableTokens(List.of(3, 5)).build()),
        DORA(true, () -> dora().build()),
        DORA_PISSA(false, () -> dora().optInit(LoraInit.PISSA).optRsLora(true).build());

        private final boolean kernels;
        private final Supplier<AdapterConfig> config;

        Kind(boolean kernels, Supplier<AdapterConfig> config) {
            this.kernels = kernels;
            this.config = config;
        }

        private static LoraConfig.Builder lora() {
            return LoraConfig.builder().setRank(4).setTargetModules("q_proj", "down_proj");
        }

        private static DoraConfig.Builder dora() {
            return DoraConfig.builder().setRank(4).setTargetModules("q_proj", "down_proj");
        }
    }

    /** Of β times a log-ratio, β being 0.1; measured up to 9e-8. */
    private static final double ROUNDING = 1e-6;

    @TempDir Path directory;
    private List<PreferencePair> pairs = List.of();
    private final List<String> notes = new ArrayList<>();
    private final List<TrainingStep> steps = new ArrayList<>();
    private final List<EvaluationResult> held = new ArrayList<>();

    @BeforeEach
    void readPairs() throws IOException {
        pairs = DpoGoldens.pairs();
    }

    private static CausalLm model() throws IOException {
        return CausalLm.load(TestData.path("golden/llama_bias/model"), Device.cpu());
    }

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder().optBatchSize(4);
    }

    @ParameterizedTest
    @EnumSource
    void aNewAdapterIsComparedWithTheBaseModel(Kind kind) throws IOException {
        try (CausalLm model = model();
                AdaptedModel adapted = Adapters.attach(model.block(), kind.config.get())) {
            learn(model, adapted, "fresh");
        }
        assertThat(notes).singleElement().asString().contains("is the base model");
        // the base has another way through the layers: what rounding leaves of log-ratios
        assertThat(steps.get(0).metrics().get("rewards/chosen")).isCloseTo(0, within(ROUNDING));
        assertThat(steps.get(0).metrics().get("rewards/rejected")).isCloseTo(0, within(ROUNDING));
    }

    @ParameterizedTest
    @EnumSource
    void anAdapterThatWasChangedByHandIsNotNewAnyMore(Kind kind) throws IOException {
        try (CausalLm model = model();
                AdaptedModel adapted = Adapters.attach(model.block(), kind.config.get())) {
            List<Parameter> all = new ArrayList<>(adapted.adapter().parameters().values());
            try (GradMode off = GradMode.disabled()) {
                all.get(all.size() - 1).getArray().addi(0.01f);
            }
            learn(model, adapted, "changed");
        }
        assertThat(notes).singleElement().asString().contains("is a frozen copy of the adapter");
    }

    /**
     * By the blocks policy and reference are computed alike, bit for bit. The kernels of a step and
     * those without backward form the products of an update in another order; without backward both
     * are alike again, which the evaluation shows.
     */
    @ParameterizedTest
    @MethodSource("ways")
    void aTrainedAdapterIsComparedWithItself(Kind kind, boolean kernels) throws IOException {
        Path saved = directory.resolve("saved");
        try (CausalLm model = model();
                AdaptedModel adapted = Adapters.attach(model.block(), kind.config.get())) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    pairs.stream().map(PreferencePair::chosen).toList(),
                    List.of(),
                    config().optMaxSteps(3).optLearningRate(5e-3).build(),
                    saved);
        }
        try (CausalLm model = model();
                AdaptedModel adapted = Adapters.load(model.block(), saved)) {
            model.useLayerKernels(kernels);
            learn(model, adapted, "dpo");
            assertThat(model.wasByLayerKernels()).isEqualTo(kernels && kind.kernels);
        }
        assertThat(notes).singleElement().asString().contains("is a frozen copy of the adapter");
        double rounding = kernels && kind.kernels ? ROUNDING : 0;
        Map<String, Double> first = steps.get(0).metrics();
        assertThat(first.get("rewards/chosen")).isCloseTo(0, within(rounding));
        assertThat(first.get("rewards/rejected")).isCloseTo(0, within(rounding));
        assertThat(held.get(0).metrics())
                .containsEntry("rewards/chosen", 0.0)
                .containsEntry("rewards/rejected", 0.0)
                .containsEntry("rewards/margins", 0.0);
    }

    static Stream<Arguments> ways() {
        return Arrays.stream(Kind.values())
                .flatMap(kind -> Stream.of(true, false).map(way -> Arguments.of(kind, way)));
    }

    /** A step of DPO that moves nothing, and an evaluation. */
    private void learn(CausalLm model, AdaptedModel adapted, String name) throws IOException {
        DpoTrainer.train(
                LanguageModel.of(model),
                new AdapterTrainable(adapted),
                pairs,
                pairs,
                DpoConfig.builder().build(),
                config().optMaxSteps(1).optLearningRate(0).build(),
                directory.resolve(name),
                new TrainingObserver() {
                    @Override
                    public void onNote(String note) {
                        notes.add(note);
                    }

                    @Override
                    public void onStep(TrainingStep step) {
                        steps.add(step);
                        if (adapted.names().contains("reference")) {
                            assertSame(adapted.adapter("reference"), adapted.adapter());
                        }
                    }

                    @Override
                    public void onEvaluation(int step, EvaluationResult result, boolean best) {
                        held.add(result);
                    }
                });
    }

    private static void assertSame(Adapter copy, Adapter policy) {
        assertThat(copy.parameters().keySet()).isEqualTo(policy.parameters().keySet());
        policy.parameters()
                .forEach(
                        (name, parameter) ->
                                assertThat(copy.parameters().get(name).getArray().toFloatArray())
                                        .as(name)
                                        .isEqualTo(parameter.getArray().toFloatArray()));
    }
}
