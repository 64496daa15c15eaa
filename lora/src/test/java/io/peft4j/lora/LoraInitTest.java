package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.StateForward;
import io.peft4j.torch.DropoutMask;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Initialisations that start from the weight leave the base as it is, and equal PEFT's. */
class LoraInitTest {

    private static final float TOLERANCE = 3e-6f;

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "init_pissa",
                "init_pissa_rslora",
                "init_pissa_rank_pattern",
                "init_olora",
                "init_olora_rslora",
                "init_orthogonal"
            })
    void aSavedAdapterOnTheUnchangedBaseEqualsPeft(String name) throws IOException {
        BlockGolden.check(name, GoldenBlocks.pair());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "init_pissa",
                "init_pissa_rslora",
                "init_pissa_rank_pattern",
                "init_olora",
                "init_olora_rslora"
            })
    void aNewAdapterHoldsThePartOfTheWeightThatPeftTakes(String name) throws IOException {
        Block block = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden(name, block);
                AdaptedModel adapted =
                        Adapters.attach(block, Adapters.readConfig(golden.adapter()), 9)) {
            for (String module : List.of("fc1", "fc2")) {
                LowRankPair pair = pair(adapted, module);
                NDArray part = pair.b().getArray().matMul(pair.a().getArray());
                golden.assertClose("init_delta." + module, part.mul(pair.scaling()), TOLERANCE);
            }
            assertOutputIsTheBases(golden, adapted);
        }
    }

    @Test
    void orthogonalFactorsCancelAndAreOfTheSizeOfPeft() throws IOException {
        Block block = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden("init_orthogonal", block);
                AdaptedModel adapted =
                        Adapters.attach(block, Adapters.readConfig(golden.adapter()), 9)) {
            LowRankPair pair = pair(adapted, "fc1");
            NDArray a = pair.a().getArray();
            NDArray b = pair.b().getArray();
            assertThat(b.matMul(a).abs().max().getFloat()).isLessThan(1e-7f);
            NDArray theirs = golden.tensor("init.base_model.model.fc1.lora_A.weight");
            assertThat(a.norm().getFloat() / theirs.norm().getFloat()).isBetween(0.5f, 2f);
            assertThat(b.norm().getFloat()).isBetween(0.1f, 1f);
            golden.assertClose("disabled", golden.run(adapted, golden.tensor("x"), false), 1e-6f);
        }
    }

    @Test
    void anApproximatePissaComesNearTheExactOneAndIsFoundAgain() throws IOException {
        Block block = GoldenBlocks.pair();
        LoraConfig near = config(LoraInit.pissa(2)).build();
        try (BlockGolden golden = new BlockGolden("init_pissa", block)) {
            float[] output;
            try (AdaptedModel adapted = Adapters.attach(block, near, 5)) {
                for (String module : List.of("fc1", "fc2")) {
                    LowRankPair pair = pair(adapted, module);
                    NDArray part = pair.b().getArray().matMul(pair.a().getArray());
                    golden.assertClose("init_delta." + module, part.mul(pair.scaling()), 1e-4f);
                    Tensors.copy(pair.a().getArray().mul(1.5), pair.a().getArray());
                }
                output = golden.run(adapted, golden.tensor("x"), false).toFloatArray();
                assertThat(output).isNotEqualTo(golden.tensor("disabled").toFloatArray());
                adapted.save(directory);
            }
            try (AdaptedModel loaded = Adapters.load(block, directory)) {
                assertThat(loaded.adapter().config().toPeft().json())
                        .isEqualTo(near.toPeft().json());
                assertThat(golden.run(loaded, golden.tensor("x"), false).toFloatArray())
                        .isEqualTo(output);
            }
        }
    }

    @Test
    void whatPeftDrewAtRandomIsRefusedAndItsPlainFormLoads() throws IOException {
        Block block = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden("init_pissa_niter_4", block)) {
            assertThatThrownBy(() -> Adapters.load(block, golden.adapter()))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("pissa_niter_4")
                    .hasMessageContaining("path_initial_model_for_weight_conversion");
            try (AdaptedModel plain =
                    Adapters.load(block, golden.directory().resolve("converted"))) {
                golden.assertOutput(plain);
            }
        }
    }

    @Test
    void dropoutLeavesThePartThatIsFrozenWhole() {
        LoraConfig config = config(LoraInit.PISSA).optDropout(0.4).build();
        try (NDManager manager = NDManager.newBaseManager();
                GradMode off = GradMode.disabled()) {
            NDArray weight = manager.randomNormal(new Shape(5, 6));
            NDArray x = manager.randomNormal(new Shape(4, 6));
            Site site = Site.linear("fc1", 5, 6, false);
            try (AdapterState state = config.create(site, weight, manager, 1)) {
                LowRankPair pair = ((LowRankState) state).pair();
                NDArray start = pair.b().getArray().matMul(pair.a().getArray());
                NDArray residual = weight.sub(start.mul(pair.scaling()));
                Tensors.copy(pair.a().getArray().mul(1.5), pair.a().getArray());
                NDArray now = pair.b().getArray().matMul(pair.a().getArray());

                TorchRuntime.seed(7);
                NDArray dropped = DropoutMask.drop(x, DropoutMask.drawSeed(), 0.4);
                NDArray expected =
                        x.matMul(residual.transpose())
                                .add(dropped.matMul(now.transpose()).mul(pair.scaling()));
                TorchRuntime.seed(7);
                NDArray found =
                        StateForward.linear(
                                state, x, weight, null, new ParameterStore(manager, false), true);
                assertThat(found.sub(expected).abs().max().getFloat()).isLessThan(1e-5f);
            }
        }
    }

    @Test
    void aWeightWithOtherValuesHasItsOwnStart() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode off = GradMode.disabled()) {
            NDArray weight = manager.randomNormal(new Shape(5, 6));
            NDArray other = manager.randomNormal(new Shape(5, 6));
            Site site = Site.linear("fc1", 5, 6, false);
            ParameterStore store = new ParameterStore(manager, false);
            LoraConfig config = config(LoraInit.OLORA).build();
            try (AdapterState moved = config.create(site, weight, manager, 1);
                    AdapterState fresh = config.create(site, other, manager, 1)) {
                moved.weightChanged(other);
                fresh.parameters()
                        .forEach(
                                (key, parameter) ->
                                        Tensors.copy(
                                                parameter.getArray(),
                                                moved.parameters().get(key).getArray()));
                assertThat(moved.effectiveWeight(other, store, false).toFloatArray())
                        .isEqualTo(other.toFloatArray());
            }
        }
    }

    @Test
    void whatCannotStartThatWayIsRefusedWithTheReason() throws IOException {
        assertThatThrownBy(() -> config(LoraInit.ORTHOGONAL).setRank(3).build())
                .hasMessageContaining("even rank")
                .hasMessageContaining("3");
        assertThatThrownBy(() -> config(LoraInit.OLORA).optFanInFanOut(true).build())
                .hasMessageContaining("fan_in_fan_out");
        assertThatThrownBy(() -> LoraInit.pissa(-1)).hasMessageContaining("-1");
        Block pair = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden("init_pissa", pair)) {
            LoraConfig large = config(LoraInit.PISSA).setRank(7).build();
            assertThatThrownBy(() -> Adapters.attach(pair, large))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("fc1")
                    .hasMessageContaining("at most 6, but r is 7");
            assertThat(golden.has("x")).isTrue();
        }
        Block conv = GoldenBlocks.conv2d();
        try (BlockGolden golden = new BlockGolden("conv2d_lora", conv)) {
            LoraConfig pissa = config(LoraInit.PISSA).setTargetModules("conv1").build();
            assertThatThrownBy(() -> Adapters.attach(conv, pissa))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("conv1 is a convolution")
                    .hasMessageContaining("pissa");
            assertThat(golden.has("x")).isTrue();
        }
    }

    private static LoraConfig.Builder config(LoraInit init) {
        return LoraConfig.builder()
                .setRank(2)
                .optAlpha(3)
                .optInit(init)
                .setTargetModules("fc1", "fc2");
    }

    private static LowRankPair pair(AdaptedModel adapted, String module) {
        return ((LowRankState) adapted.adapter().states().get(module)).pair();
    }

    private static void assertOutputIsTheBases(BlockGolden golden, AdaptedModel adapted)
            throws IOException {
        NDArray x = golden.tensor("x");
        float[] active = golden.run(adapted, x, false).toFloatArray();
        try (var off = adapted.disableAdapter()) {
            assertThat(active).isEqualTo(golden.run(adapted, x, false).toFloatArray());
        }
    }
}
