package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.StateForward;
import io.peft4j.lora.LoraConversion;
import io.peft4j.lora.LoraInit;
import io.peft4j.lora.LowRankPair;
import io.peft4j.lora.LowRankState;
import io.peft4j.torch.DropoutMask;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchRuntime;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** DoRA whose direction starts from a part of the weight. */
class DoraInitTest {

    private static DoraConfig.Builder config() {
        return DoraConfig.builder()
                .setRank(2)
                .optAlpha(3)
                .optInit(LoraInit.PISSA)
                .setTargetModules("fc1", "fc2");
    }

    @Test
    void aNewAdapterLeavesEveryBitAndAMovedOneMergesToItsOutput() throws IOException {
        Block block = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden("init_pissa", block);
                AdaptedModel adapted = Adapters.attach(block, config().build(), 1);
                NDManager scope = golden.manager().newSubManager()) {
            NDArray x = golden.tensor("x");
            float[] active = golden.run(adapted, x, false).toFloatArray();
            try (var off = adapted.disableAdapter()) {
                assertThat(active).isEqualTo(golden.run(adapted, x, false).toFloatArray());
            }
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                NDArray noise = scope.randomNormal(parameter.getShape()).mul(0.2);
                Tensors.copy(noise.add(parameter.getArray()), parameter.getArray());
            }
            NDArray before = golden.run(adapted, x, false);
            adapted.merge();
            NDArray merged = golden.run(adapted, x, false);
            assertThat(merged.sub(before).abs().max().getFloat()).isLessThan(5e-6f);
            adapted.unmerge();

            Adapter plain = LoraConversion.toPlain(adapted, "default", "plain");
            assertThat(plain.config().method()).isEqualTo("dora");
            for (String module : List.of("fc1", "fc2")) {
                NDArray same = plain.delta(scope, module);
                NDArray difference = same.sub(adapted.adapter("default").delta(scope, module));
                assertThat(difference.abs().max().getFloat()).as(module).isLessThan(5e-6f);
            }
        }
    }

    /** PEFT's formula, on the residual that it would have made of the weight. */
    @Test
    void dropoutLeavesThePartThatIsFrozenWhole() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode off = GradMode.disabled()) {
            NDArray weight = manager.randomNormal(new Shape(5, 6));
            NDArray x = manager.randomNormal(new Shape(4, 6));
            Site site = Site.linear("fc1", 5, 6, false);
            try (AdapterState state =
                    config().optDropout(0.4).build().create(site, weight, manager, 1)) {
                LowRankPair pair = ((LowRankState) state).pair();
                NDArray start = pair.b().getArray().matMul(pair.a().getArray());
                NDArray residual = weight.sub(start.mul(pair.scaling()));
                Tensors.copy(pair.a().getArray().mul(1.5), pair.a().getArray());
                NDArray delta = pair.b().getArray().matMul(pair.a().getArray()).mul(pair.scaling());
                NDArray m = state.parameters().get("lora_magnitude_vector").getArray();
                NDArray gain = m.div(residual.add(delta).norm(new int[] {1}));

                TorchRuntime.seed(7);
                NDArray dropped = DropoutMask.drop(x, DropoutMask.drawSeed(), 0.4);
                NDArray expected =
                        x.matMul(residual.transpose())
                                .add(dropped.matMul(residual.transpose()).mul(gain.sub(1)))
                                .add(dropped.matMul(delta.transpose()).mul(gain));
                TorchRuntime.seed(7);
                NDArray found =
                        StateForward.linear(
                                state, x, weight, null, new ParameterStore(manager, false), true);
                assertThat(found.sub(expected).abs().max().getFloat()).isLessThan(1e-5f);
            }
        }
    }
}
