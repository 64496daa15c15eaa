package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static io.peft4j.models.Golden.assertGradientClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.BlockTree;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tiny OpenELM without an adapter against PyTorch. */
class BaseModelGoldenTest {

    private static CausalLm model;
    private static Golden golden;

    @BeforeAll
    static void open() {
        model = Golden.load();
        golden = Golden.open("openelm/golden.safetensors");
    }

    @AfterAll
    static void close() {
        golden.close();
        model.close();
    }

    @ParameterizedTest
    @CsvSource({"model,F32", "model-sharded,BF16"})
    void logitsAreThoseOfPyTorch(String directory, Dtype dtype) throws IOException {
        try (CausalLm loaded =
                        CausalLm.load(TestData.path("golden/openelm/" + directory), Device.cpu());
                NDManager scope = NDManager.newBaseManager()) {
            assertThat(loaded.dtype()).isEqualTo(dtype);
            NDArray logits = loaded.logits(scope, golden.array("input_ids"), null);
            assertThat(logits.getManager()).isSameAs(scope);
            assertThat(logits.getShape()).isEqualTo(new Shape(2, 8, 264));
            assertClose("logits", logits.toFloatArray(), golden.floats("logits"), Golden.LOGITS);
        }
    }

    @Test
    void paddingOnTheRightLeavesTheTokensLogits() {
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray mask = golden.array("attention_mask");
            NDArray padded = golden.array("padded_input_ids");
            float[] masked = model.logits(scope, padded, mask).toFloatArray();
            float[] plain = model.logits(scope, padded, null).toFloatArray();
            float[] expected = golden.floats("padded_logits");
            long[] tokens = mask.toLongArray();
            assertThat(tokens).contains(0);
            for (int i = 0; i < tokens.length; i++) {
                if (tokens[i] == 1) {
                    float[] row = Arrays.copyOfRange(expected, i * 264, i * 264 + 264);
                    assertClose(
                            "masked " + i,
                            Arrays.copyOfRange(masked, i * 264, i * 264 + 264),
                            row,
                            Golden.LOGITS);
                    assertClose(
                            "plain " + i,
                            Arrays.copyOfRange(plain, i * 264, i * 264 + 264),
                            row,
                            Golden.LOGITS);
                }
            }
        }
    }

    @Test
    void paddingOnTheLeftLeavesTheTokensLogits() {
        try (NDManager scope = NDManager.newBaseManager()) {
            long[] ids = golden.longs("input_ids");
            long[] padded = new long[22];
            long[] tokens = new long[22];
            System.arraycopy(ids, 0, padded, 0, 8); // one row padded on the right, one on the left
            Arrays.fill(tokens, 0, 8, 1);
            System.arraycopy(ids, 8, padded, 14, 8);
            Arrays.fill(tokens, 14, 22, 1);
            float[] logits =
                    model.logits(
                                    scope,
                                    scope.create(padded, new Shape(2, 11)),
                                    scope.create(tokens, new Shape(2, 11)))
                            .toFloatArray();
            float[] expected = golden.floats("logits");
            assertClose(
                    "right-padded row",
                    Arrays.copyOfRange(logits, 0, 8 * 264),
                    Arrays.copyOfRange(expected, 0, 8 * 264),
                    Golden.LOGITS);
            assertClose(
                    "left-padded row",
                    Arrays.copyOfRange(logits, 14 * 264, 22 * 264),
                    Arrays.copyOfRange(expected, 8 * 264, 16 * 264),
                    Golden.LOGITS);
            for (float value : logits) {
                assertThat(value).isFinite();
            }
        }
    }

    @Test
    void hiddenStatesAreThoseOfPyTorchAfterEveryBlock() {
        Map<String, Block> blocks = BlockTree.paths(model.block());
        try (NDManager scope = NDManager.newBaseManager();
                GradMode off = GradMode.disabled()) {
            ParameterStore store = new ParameterStore(scope, false);
            NDList table =
                    new RotaryTable(model.config().architecture()).of(8, scope.ones(new Shape(1)));
            NDArray ids = golden.array("input_ids").get("0:1");
            NDArray h = run(blocks, "transformer.token_embeddings", store, ids);
            assertClose("embed", h.toFloatArray(), golden.floats("hidden.embed"), 0);
            for (int i = 0; i < 3; i++) {
                h = run(blocks, "transformer.layers." + i, store, h, table.get(0), table.get(1));
                assertClose(
                        "layer " + i, h.toFloatArray(), golden.floats("hidden.layer." + i), 1e-5);
            }
            h = run(blocks, "transformer.norm", store, h);
            assertClose("norm", h.toFloatArray(), golden.floats("hidden.norm"), 1e-5);
            NDArray all = run(blocks, "transformer", store, ids, table.get(0), table.get(1));
            assertClose("all at once", all.toFloatArray(), h.toFloatArray(), 0);
        }
    }

    private static NDArray run(
            Map<String, Block> blocks, String path, ParameterStore store, NDArray... inputs) {
        Block block = blocks.get(path);
        assertThat(block).as(path).isNotNull();
        return block.forward(store, new NDList(inputs), false).singletonOrThrow();
    }

    @Test
    void lossesAreThoseOfPyTorch() {
        NDArray ids = golden.array("input_ids");
        double[] sums = model.rowLosses(ids, ids);
        assertThat(sums).hasSize(2);
        assertThat((sums[0] + sums[1]) / 14)
                .isCloseTo(golden.floats("loss")[0], within(Golden.LOSS));
        double[] padded = model.rowLosses(golden.array("padded_input_ids"), golden.array("labels"));
        // row 0 has no label on its first two tokens; row 1 has five tokens
        assertThat((padded[0] + padded[1]) / (6 + 4))
                .isCloseTo(golden.floats("padded_loss")[0], within(Golden.LOSS));
    }

    @ParameterizedTest
    @CsvSource({"'',input_ids,input_ids,14", "padded_,padded_input_ids,labels,10"})
    void gradientsOfAllWeightsAreThoseOfPyTorch(
            String prefix, String ids, String labels, int labelled) {
        try (CausalLm trained = Golden.load();
                Golden full = Golden.open("openelm/full/golden.safetensors")) {
            double[] sums = trained.backward(golden.array(ids), golden.array(labels), labelled);
            assertThat((sums[0] + sums[1]) / labelled)
                    .isCloseTo(full.floats(prefix + "loss")[0], within(Golden.LOSS));
            assertThat(trained.parameters()).hasSize(26);
            trained.parameters()
                    .forEach(
                            (name, parameter) ->
                                    assertGradientClose(
                                            name,
                                            parameter.getArray().getGradient().toFloatArray(),
                                            full.floats(prefix + "grad." + name)));
        }
    }

    @Test
    void logitsKeepNoGraphWhateverTheThreadsMode() {
        try (NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                GradMode recording = GradMode.enabled()) {
            NDArray logits = model.logits(scope, golden.array("input_ids"), null);
            assertThat(Kernels.isTracked(logits)).isFalse();
        }
    }

    @Test
    void severalThreadsReadOneModel() {
        try (CausalLm shared = Golden.load()) {
            List<Integer> lengths = List.of(3, 17, 64, 40, 5, 64, 1, 33);
            List<float[]> alone = lengths.stream().map(n -> logits(shared, n)).toList();
            try (CausalLm fresh = Golden.load()) {
                List<float[]> together =
                        lengths.parallelStream().map(n -> logits(fresh, n)).toList();
                for (int i = 0; i < alone.size(); i++) {
                    assertClose("length " + lengths.get(i), together.get(i), alone.get(i), 0);
                }
            }
        }
    }

    private static float[] logits(CausalLm model, int length) {
        try (NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            long[] ids = new Random(length).longs(length, 0, 264).toArray();
            NDArray array = scope.create(ids, new Shape(1, length));
            return model.logits(scope, array, null).toFloatArray();
        }
    }
}
