package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.adapters.TrainedInFull.Bias;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Biases and whole modules that an adapter trains itself. */
class OwnParametersTest {

    private static final String CLASSIFIER = "base_model.model.classifier.";

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void freeAll() {
        manager.close();
    }

    private static TrainedInFull biases(Bias bias) {
        return new TrainedInFull(bias, List.of(), Map.of());
    }

    private static TrainedInFull whole(String... modules) {
        return new TrainedInFull(Bias.NONE, List.of(modules), Map.of());
    }

    private float[] run(BlockNet net, AdaptedModel adapted, NDArray x) {
        try (NDManager scope = manager.newSubManager()) {
            return net.run(adapted.block(), scope, x, false).toFloatArray();
        }
    }

    @Test
    void newAdapterWithItsOwnCopiesLeavesEveryBitAndSoDoesATrainedOneThatIsDisabled() {
        BlockNet net = OwnNets.classifier(manager, true);
        NDArray x = Tensors.of(manager, new long[] {1, 2, 3, 12, 0, 7}, new Shape(2, 3));
        float[] before;
        try (NDManager scope = manager.newSubManager()) {
            before = net.run(net, scope, x, false).toFloatArray();
        }
        TrainedInFull own = new TrainedInFull(Bias.ALL, List.of("classifier"), Map.of());
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(own, "fc"))) {
            assertThat(run(net, adapted, x)).isEqualTo(before);
            BlockNet.randomise(adapted.adapter());
            assertThat(run(net, adapted, x)).isNotEqualTo(before);
            try (AdapterScope off = adapted.disableAdapter()) {
                assertThat(run(net, adapted, x)).isEqualTo(before);
            }
        }
        try (NDManager scope = manager.newSubManager()) {
            assertThat(net.run(net, scope, x, false).toFloatArray()).isEqualTo(before);
        }
    }

    @Test
    void theChangeOfWhatIsReplacedIsTheCopyLessTheBase() {
        BlockNet net = OwnNets.classifier(manager, true);
        TrainedInFull own = new TrainedInFull(Bias.ALL, List.of("classifier", "norm"), Map.of());
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(own, "fc"));
                NDManager scope = manager.newSubManager()) {
            Adapter adapter = adapted.adapter();
            assertThat(adapter.states())
                    .containsKeys("fc.bias", "norm.weight", "norm.bias", "classifier.weight");
            for (String path : adapter.states().keySet()) {
                assertThat(adapter.delta(scope, path).toFloatArray()).as(path).containsOnly(0);
            }
            try (GradMode off = GradMode.disabled()) {
                adapter.parameters().values().forEach(p -> p.getArray().addi(0.25f));
            }
            for (String path : List.of("fc.bias", "norm.weight", "classifier.weight")) {
                long rows = path.startsWith("classifier") ? 3 : 6;
                NDArray change = adapter.delta(scope, path);
                assertThat(change.getShape()).isEqualTo(new Shape(rows, rows == 3 ? 6 : 1));
                for (float each : change.toFloatArray()) {
                    assertThat(each).as(path).isCloseTo(0.25f, within(1e-6f));
                }
            }
        }
    }

    @Test
    void eachAdapterHasItsOwnCopyAndTwoOfTheSameParameterAreNotActiveTogether() {
        BlockNet net = OwnNets.classifier(manager, false);
        NDArray x = Tensors.of(manager, new long[] {1, 2, 3}, new Shape(1, 3));
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(whole("classifier"), "fc"))) {
            float[] base = run(net, adapted, x);
            adapted.add("second", PlainLora.of(whole("classifier"), "fc"));
            BlockNet.randomise(adapted.adapter("default"));
            float[] first = run(net, adapted, x);
            assertThat(first).isNotEqualTo(base);
            try (AdapterScope other = adapted.use("second")) {
                assertThat(run(net, adapted, x)).isEqualTo(base);
            }
            assertThatThrownBy(() -> adapted.activate("default", "second"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("more than one changes classifier.weight")
                    .hasMessageContaining("replaces it whole");
            assertThat(adapted.active()).containsExactly("default");
            assertThat(run(net, adapted, x)).isEqualTo(first);
        }
    }

    @Test
    void aReplacedParameterAndALowRankUpdateOfItAreNotActiveTogether() {
        BlockNet net = OwnNets.classifier(manager, false);
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(whole("classifier"), "fc"))) {
            adapted.add("second", PlainLora.of(TrainedInFull.NOTHING, "classifier"));
            assertThatThrownBy(() -> adapted.use("second", "default"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("replaces it whole");
        }
    }

    @Test
    void aModuleThatIsTrainedWholeIsNoTarget() {
        BlockNet net = OwnNets.classifier(manager, false);
        PlainLora config = PlainLora.of(whole("classifier"), "fc", "classifier");
        assertThat(Adapters.dryRun(net, config)).extracting(Site::path).containsExactly("fc");
        assertThatThrownBy(
                        () -> Adapters.attach(net, PlainLora.of(whole("classifier"), "classifier")))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("nothing left to adapt");
    }

    @Test
    void aModuleThatDoesNotExistIsRefusedWithNearNames() {
        BlockNet net = OwnNets.classifier(manager, false);
        assertThatThrownBy(() -> Adapters.attach(net, PlainLora.of(whole("clasifier"), "fc")))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("modules_to_save: clasifier; nearest: classifier");
        // an end of a name is no dotted end of a path
        assertThatThrownBy(() -> Adapters.attach(net, PlainLora.of(whole("ifier"), "fc")))
                .isInstanceOf(AdapterConfigException.class);
        // the model is as it was
        assertThat(net.getParameters().values()).allMatch(Parameter::requiresGradient);
    }

    @Test
    void biasModesTakeAllBiasesOrThoseOfAdaptedModulesUnderPeftsKeys() {
        BlockNet net = OwnNets.classifier(manager, true);
        try (AdaptedModel all = Adapters.attach(net, PlainLora.of(biases(Bias.ALL), "fc"))) {
            assertThat(all.adapter().parameters().keySet())
                    .containsExactly(
                            "base_model.model.fc.lora_A.weight",
                            "base_model.model.fc.lora_B.weight",
                            "base_model.model.norm.bias",
                            "base_model.model.fc.base_layer.bias",
                            "base_model.model.classifier.bias");
        }
        try (AdaptedModel adapted =
                Adapters.attach(net, PlainLora.of(biases(Bias.ADAPTED), "fc"))) {
            assertThat(adapted.adapter().parameters().keySet())
                    .containsExactly(
                            "base_model.model.fc.lora_A.weight",
                            "base_model.model.fc.lora_B.weight",
                            "base_model.model.fc.base_layer.bias");
        }
    }

    private BlockNet normalised() {
        return new BlockNet()
                .add("fc", Linear.builder().setUnits(4).build(), 1, 3)
                .add("bn", BatchNorm.builder().build(), 8, 4)
                .build(manager, p -> p.call("bn", p.call("fc", p.x())));
    }

    private void train(BlockNet net, AdaptedModel adapted, NDArray x) {
        try (NDManager scope = manager.newSubManager();
                GradMode on = GradMode.enabled()) {
            net.run(adapted.block(), scope, x, true);
        }
    }

    @Test
    void runningStatisticsOfAFrozenBaseNeverChange() {
        BlockNet net = normalised();
        NDArray x = manager.randomNormal(new Shape(8, 3));
        float[] mean = net.parameter("bn.running_mean").getArray().toFloatArray();
        float[] variance = net.parameter("bn.running_var").getArray().toFloatArray();
        try (AdaptedModel adapted =
                Adapters.attach(net, PlainLora.of(TrainedInFull.NOTHING, "fc"))) {
            train(net, adapted, x);
            try (AdapterScope off = adapted.disableAdapter()) {
                train(net, adapted, x);
            }
            assertThat(net.parameter("bn.running_mean").getArray().toFloatArray()).isEqualTo(mean);
            assertThat(net.parameter("bn.running_var").getArray().toFloatArray())
                    .isEqualTo(variance);
        }
    }

    @Test
    void runningStatisticsOfASavedModuleFollowTrainingInTheAdaptersCopy() {
        BlockNet net = normalised();
        NDArray x = manager.randomNormal(new Shape(8, 3));
        float[] base = net.parameter("bn.running_mean").getArray().toFloatArray();
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(whole("bn"), "fc"))) {
            Map<String, Parameter> own = adapted.adapter().parameters();
            assertThat(own.keySet())
                    .contains(
                            "base_model.model.bn.weight",
                            "base_model.model.bn.bias",
                            "base_model.model.bn.running_mean",
                            "base_model.model.bn.running_var");
            Parameter mean = own.get("base_model.model.bn.running_mean");
            assertThat(mean.requiresGradient()).isFalse();
            adapted.block().freezeParameters(false); // as newTrainer does
            assertThat(mean.requiresGradient()).isFalse();
            float[] evaluated = run(net, adapted, x);
            train(net, adapted, x);
            float[] followed = mean.getArray().toFloatArray();
            assertThat(followed).isNotEqualTo(base);
            assertThat(run(net, adapted, x)).isNotEqualTo(evaluated);
            assertThat(net.parameter("bn.running_mean").getArray().toFloatArray()).isEqualTo(base);
            // statistics are no trained parameters: 2 (3 + 4) of the pair, 4 + 4 of the norm
            assertThat(adapted.summary().trainable()).isEqualTo(22);
            adapted.merge();
            assertThat(net.parameter("bn.running_mean").getArray().toFloatArray())
                    .isEqualTo(followed);
            adapted.unmerge();
            assertThat(net.parameter("bn.running_mean").getArray().toFloatArray()).isEqualTo(base);
        }
    }

    @Test
    void torchsCounterOfBatchesIsReadOver(@TempDir Path directory) throws IOException {
        BlockNet net = normalised();
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(whole("bn"), "fc"))) {
            adapted.save(directory);
            SavedTensors.add(directory, "base_model.model.bn.num_batches_tracked");
            assertThat(adapted.adapter().loadLeniently(directory).isComplete()).isTrue();
            SavedTensors.add(directory, "base_model.model.fc.num_batches_tracked");
            assertThatThrownBy(() -> adapted.adapter().load(directory))
                    .isInstanceOf(AdapterMismatchException.class)
                    .hasMessageContaining("unexpected: base_model.model.fc.num_batches_tracked");
        }
    }

    @Test
    void mergingANewBiasOfZerosReportsAFiniteChange() {
        BlockNet net = OwnNets.threeLayers(manager);
        for (String bias : List.of("fc1.bias", "fc2.bias", "fc3.bias")) {
            try (NDArray zeros = manager.zeros(net.parameter(bias).getShape())) {
                Tensors.copy(zeros, net.parameter(bias).getArray());
            }
        }
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(biases(Bias.ALL), "fc1"))) {
            assertThat(adapted.merge().relative()).isZero();
            adapted.unmerge();
            BlockNet.randomise(adapted.adapter());
            MergeReport report = adapted.merge();
            assertThat(report.sites())
                    .filteredOn(site -> site.path().endsWith("bias"))
                    .hasSize(3)
                    .allMatch(site -> site.relative() == 1 && site.largest() > 0);
        }
    }

    @Test
    void filesByPeftWithAllBiasesAndWithASavedHeadLoad() throws IOException {
        BlockNet sequence =
                new BlockNet()
                        .add("0", OwnNets.linear(6), 1, 4)
                        .add("2", OwnNets.linear(3), 1, 6)
                        .build(manager, p -> p.call("2", p.call("0", p.x())));
        Path biases = TestData.path("peft/bias_all");
        try (AdaptedModel adapted = Adapters.attach(sequence, PlainLora.read(biases));
                SafetensorsFile file = SafetensorsFile.open(biases.resolve(AdapterFiles.TENSORS))) {
            adapted.adapter().load(biases);
            assertThat(values(adapted, "base_model.model.2.bias"))
                    .isEqualTo(file.toFloats("base_model.model.2.bias"));
        }
        BlockNet llama =
                new BlockNet()
                        .add("model.layers.0.self_attn.q_proj", OwnNets.linear(16), 1, 16)
                        .add("lm_head", Linear.builder().setUnits(32).optBias(false).build(), 1, 16)
                        .build(manager, p -> p.x());
        Path head = TestData.path("peft/mts");
        try (AdaptedModel adapted = Adapters.attach(llama, PlainLora.read(head));
                SafetensorsFile file = SafetensorsFile.open(head.resolve(AdapterFiles.TENSORS))) {
            adapted.adapter().load(head);
            assertThat(values(adapted, "base_model.model.lm_head.weight"))
                    .isEqualTo(file.toFloats("base_model.model.lm_head.weight"));
        }
    }

    private static float[] values(AdaptedModel adapted, String key) {
        return adapted.adapter().parameters().get(key).getArray().toFloatArray();
    }

    @Test
    void aParameterThatTwoPlainBlocksShareIsAdaptedAndMergedInBoth() {
        Linear first = Linear.builder().setUnits(4).optBias(false).build();
        BlockNet net =
                new BlockNet()
                        .add("first", first, 1, 4)
                        .add("second", new SharedLinear(first), 1, 4)
                        .build(manager, p -> p.call("first", p.x()).add(p.call("second", p.x())));
        NDArray x = manager.randomNormal(new Shape(2, 4));
        try (AdaptedModel adapted =
                Adapters.attach(net, PlainLora.of(TrainedInFull.NOTHING, "first"))) {
            float[] base = run(net, adapted, x);
            assertThat(Adapters.sites(net)).extracting(Site::path).containsExactly("first");
            BlockNet.randomise(adapted.adapter());
            float[] active = run(net, adapted, x);
            try (NDManager scope = manager.newSubManager()) {
                NDArray delta = delta(scope, adapted);
                float[] once = x.matMul(delta.transpose()).toFloatArray();
                for (int i = 0; i < active.length; i++) {
                    assertThat(active[i] - base[i]).isCloseTo(2 * once[i], within(1e-4f));
                }
            }
            adapted.merge();
            float[] merged = run(net, adapted, x);
            for (int i = 0; i < merged.length; i++) {
                assertThat(merged[i]).isCloseTo(active[i], within(1e-4f));
            }
        }
    }

    private static NDArray delta(NDManager scope, AdaptedModel adapted) {
        NDArray b =
                adapted.adapter()
                        .parameters()
                        .get("base_model.model.first.lora_B.weight")
                        .getArray();
        NDArray a =
                adapted.adapter()
                        .parameters()
                        .get("base_model.model.first.lora_A.weight")
                        .getArray();
        NDArray delta = b.matMul(a).mul(2);
        delta.attach(scope);
        return delta;
    }

    /** A block that has another block's parameter as its own. */
    private static final class SharedLinear extends AbstractBlock {

        private final Parameter weight;

        SharedLinear(Linear other) {
            weight = addParameter(other.getDirectParameters().get("weight"));
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList x, boolean training, PairList<String, Object> p) {
            NDArray w = store.getValue(weight, x.head().getDevice(), training);
            return Linear.linear(x.head(), w);
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return shapes;
        }
    }

    @Test
    void threeTimesTheSameOperationsLeaveNoArrayBehind() {
        BlockNet net = OwnNets.classifier(manager, true);
        NDArray x = Tensors.of(manager, new long[] {1, 2, 3}, new Shape(1, 3));
        TrainedInFull own =
                new TrainedInFull(Bias.ALL, List.of("classifier"), Map.of("embed", List.of(1, 2)));
        int[] counts = new int[3];
        for (int i = 0; i < counts.length; i++) {
            try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(own, "fc"))) {
                run(net, adapted, x);
                adapted.merge();
                adapted.unmerge();
            }
            counts[i] = manager.getManagedArrays().size();
        }
        assertThat(Arrays.stream(counts).distinct()).hasSize(1);
    }
}
