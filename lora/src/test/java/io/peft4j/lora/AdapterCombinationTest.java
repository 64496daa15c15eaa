package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Combinations equal the dense sums, and PEFT's where PEFT is right. */
class AdapterCombinationTest {

    private static final float TOLERANCE = 3e-6f;
    private static final List<String> MODULES = List.of("fc1", "fc2");

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "combine_linear/cat",
                "combine_linear/cat_missing_module",
                "combine_linear/linear",
                "combine_linear/linear_negative",
                "combine_rslora/cat",
                "combine_rslora/cat_mixed",
                "combine_rslora/linear_single",
                "combine_rslora/svd"
            })
    void aWeightedSumEqualsTheDenseSum(String name) throws IOException {
        try (Case golden = new Case(name)) {
            CombinationReport report = golden.builder().build().addTo(golden.model, "sum");
            assertThat(report.largestError()).isZero();
            for (String module : MODULES) {
                golden.assertDelta("sum", module, "dense_sum." + module);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "svd",
                "svd_rank_2",
                "svd_rank_5",
                "magnitude_prune_svd",
                "ties_svd_total",
                "ties_svd_frequency",
                "ties_svd_negative"
            })
    void aCombinationCutToARankEqualsThatOfPeft(String name) throws IOException {
        try (Case golden = new Case("combine_linear/" + name)) {
            JsonObject call = golden.call;
            AdapterCombination.Builder builder =
                    golden.builder().optRule(rule(call.get("combination_type").getAsString()));
            if (call.has("density")) {
                builder.optDensity(call.get("density").getAsDouble());
            }
            if (call.has("majority_sign_method")) {
                String sign = call.get("majority_sign_method").getAsString();
                builder.optMajoritySign(
                        sign.equals("total") ? MajoritySign.TOTAL : MajoritySign.FREQUENCY);
            }
            builder.optRank(call.has("svd_rank") ? call.get("svd_rank").getAsInt() : 3);
            CombinationReport report = builder.build().addTo(golden.model, "new");
            for (CombinationReport.Row row : report.sites()) {
                golden.assertDelta("new", row.path(), "delta." + row.path());
                double whole = golden.norm("before_svd." + row.path(), null);
                double lost = golden.norm("before_svd." + row.path(), "delta." + row.path());
                assertThat(row.error()).isCloseTo(lost / whole, within(1e-5));
            }
        }
    }

    private static CombinationRule rule(String type) {
        return switch (type) {
            case "svd" -> CombinationRule.SUM;
            case "magnitude_prune_svd" -> CombinationRule.MAGNITUDE_PRUNE;
            case "ties_svd" -> CombinationRule.TIES;
            default -> throw new IllegalArgumentException(type);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"dare_linear_svd", "dare_ties_svd"})
    void dareWithTheMasksOfPeftGivesItsResult(String name) throws IOException {
        try (Case golden = new Case("combine_linear/" + name);
                NDManager scope = golden.manager.newSubManager()) {
            boolean ties = name.contains("ties");
            DeltaMix mix =
                    new DeltaMix(
                            ties ? CombinationRule.DARE_TIES : CombinationRule.DARE,
                            0.6,
                            MajoritySign.TOTAL);
            for (String module : MODULES) {
                List<NDArray> deltas =
                        golden.adapters.stream()
                                .map(a -> golden.model.adapter(a).delta(scope, module))
                                .toList();
                List<NDArray> masks =
                        golden.adapters.stream()
                                .map(a -> golden.array("mask." + module + ".delta." + a))
                                .toList();
                NDArray mixed = mix.of(scope, deltas, golden.weights(), masks);
                assertClose(mixed, golden.array("before_svd." + module));
            }
        }
    }

    @Test
    void dareDropsTheShareThatDensityLeavesAndIsRepeatable() throws IOException {
        DeltaMix mix = new DeltaMix(CombinationRule.DARE, 0.3, MajoritySign.TOTAL);
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray mask = mix.mask(scope, new Shape(200, 100), 5);
            assertThat(mask.mean().getFloat()).isCloseTo(0.3f, within(0.015f));
            assertThat(mix.mask(scope, new Shape(200, 100), 5).toFloatArray())
                    .isEqualTo(mask.toFloatArray());
        }
    }

    @Test
    void theCombinedAdapterIsSavedInPeftsFormatWithItsOwnRanks() throws IOException {
        try (Case golden = new Case("combine_linear/cat_missing_module")) {
            golden.builder().build().addTo(golden.model, "sum");
            golden.model.adapter("sum").save(directory);
            golden.model.load("again", directory);
            for (String module : MODULES) {
                golden.assertDelta("again", module, "dense_sum." + module);
            }
            JsonObject json = Adapters.readConfig(directory).toPeft().json();
            assertThat(json.get("peft_type").getAsString()).isEqualTo("LORA");
        }
    }

    @Test
    void wrongCombinationsAreRefusedAndChangeNothing() throws IOException {
        try (Case golden = new Case("combine_linear/cat")) {
            List<String> names = golden.model.names();
            assertThatThrownBy(
                            () ->
                                    golden.builder()
                                            .addAdapter("zz", 1)
                                            .build()
                                            .addTo(golden.model, "n"))
                    .hasMessageContaining("there is no adapter zz");
            assertThatThrownBy(() -> golden.builder().build().addTo(golden.model, "a"))
                    .hasMessageContaining("there is an adapter a already");
            assertThatThrownBy(() -> golden.builder().optDensity(0.5).build())
                    .hasMessageContaining("density 0.5 has no effect");
            assertThatThrownBy(() -> AdapterCombination.builder().build())
                    .hasMessageContaining("at least one adapter");
            assertThat(golden.model.names()).isEqualTo(names);
        }
    }

    private static void assertClose(NDArray actual, NDArray expected) {
        assertThat(actual.getShape()).isEqualTo(expected.getShape());
        assertThat(actual.sub(expected).abs().max().getFloat()).isLessThan(TOLERANCE);
    }

    /** A base of two linear layers with the adapters that a golden combines. */
    private static final class Case implements AutoCloseable {

        private final NDManager manager = NDManager.newBaseManager();
        private final SafetensorsFile golden;
        private final AdaptedModel model;
        private final JsonObject call;
        private final List<String> adapters;

        Case(String name) throws IOException {
            Path root = TestData.path("golden/blocks/" + name.substring(0, name.indexOf('/')));
            Path combined = root.resolve(name.substring(name.indexOf('/') + 1));
            golden = SafetensorsFile.open(combined.resolve("golden.safetensors"));
            call = JsonParser.parseString(golden.metadata().get("call")).getAsJsonObject();
            adapters =
                    call.getAsJsonArray("adapters").asList().stream()
                            .map(JsonElement::getAsString)
                            .toList();
            try (SafetensorsFile base = SafetensorsFile.open(root.resolve("golden.safetensors"))) {
                model =
                        Adapters.attach(
                                new Mlp(manager, base),
                                LoraConfig.builder()
                                        .setRank(1)
                                        .setTargetModules("fc1", "fc2")
                                        .build());
            }
            for (String adapter : adapters) {
                model.load(adapter, root.resolve(adapter));
            }
        }

        AdapterCombination.Builder builder() {
            AdapterCombination.Builder builder = AdapterCombination.builder();
            for (int i = 0; i < adapters.size(); i++) {
                builder.addAdapter(adapters.get(i), weights().get(i));
            }
            return builder;
        }

        List<Double> weights() {
            float[] values = array("weights").toFloatArray();
            return IntStream.range(0, values.length).mapToObj(i -> (double) values[i]).toList();
        }

        NDArray array(String name) {
            try {
                return manager.create(golden.toFloats(name), new Shape(golden.find(name).shape()));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        void assertDelta(String adapter, String module, String name) {
            try (NDManager scope = manager.newSubManager()) {
                assertClose(model.adapter(adapter).delta(scope, module), array(name));
            }
        }

        double norm(String name, String minus) {
            NDArray array = array(name);
            return (minus == null ? array : array.sub(array(minus))).norm().getFloat();
        }

        @Override
        public void close() throws IOException {
            model.close();
            golden.close();
            manager.close();
        }
    }

    private static final class Mlp extends AbstractBlock {

        Mlp(NDManager manager, SafetensorsFile golden) throws IOException {
            for (Map.Entry<String, long[]> layer :
                    Map.of("fc1", new long[] {7, 6}, "fc2", new long[] {6, 5}).entrySet()) {
                AdaptableLinear linear =
                        AdaptableLinear.builder()
                                .setFeatures(layer.getValue()[0], layer.getValue()[1])
                                .build();
                addChildBlock(layer.getKey(), linear);
                linear.initialize(manager, DataType.FLOAT32, new Shape(1, layer.getValue()[0]));
                String name = "base." + layer.getKey() + ".weight";
                Tensors.copy(
                        manager.create(golden.toFloats(name), linear.weight().getShape()),
                        linear.weight().getArray());
            }
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
            throw new UnsupportedOperationException("only its weights are used");
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return shapes;
        }
    }
}
