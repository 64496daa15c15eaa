package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.StateForward;
import io.peft4j.torch.DropoutMask;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchRuntime;
import org.junit.jupiter.api.Test;

class LoraDropoutTest {

    @Test
    void inTrainingTheInputOfALoneIsDropped() {
        LoraConfig config =
                LoraConfig.builder().setRank(2).optDropout(0.4).setTargetModules("up").build();
        try (NDManager manager = NDManager.newBaseManager();
                GradMode off = GradMode.disabled()) {
            NDArray weight = manager.randomNormal(new Shape(5, 6));
            NDArray bias = manager.randomNormal(new Shape(5));
            NDArray x = manager.randomNormal(new Shape(4, 6));
            try (AdapterState state =
                    config.create(Site.linear("up", 5, 6, false), weight, manager, 1)) {
                NDArray b = state.parameters().get("lora_B.weight").getArray();
                Tensors.copy(manager.randomNormal(b.getShape()), b);
                ParameterStore store = new ParameterStore(manager, false);

                TorchRuntime.seed(7);
                NDArray dropped = DropoutMask.drop(x, DropoutMask.drawSeed(), 0.4);
                NDArray a = state.parameters().get("lora_A.weight").getArray();
                NDArray update =
                        dropped.matMul(a.transpose())
                                .matMul(b.transpose())
                                .mul(config.scaling("up"));
                NDArray expected = x.matMul(weight.transpose()).add(update).add(bias);

                TorchRuntime.seed(7);
                NDArray trained = StateForward.linear(state, x, weight, bias, store, true);
                assertThat(dropped.toFloatArray()).contains(0f);
                assertThat(trained.sub(expected).abs().max().getFloat())
                        .isCloseTo(0, within(1e-5f));

                NDArray evaluated = StateForward.linear(state, x, weight, bias, store, false);
                NDArray effective = state.effectiveWeight(weight, store, false);
                NDArray plain = x.matMul(effective.transpose()).add(bias);
                assertThat(evaluated.sub(plain).abs().max().getFloat()).isCloseTo(0, within(1e-5f));
            }
        }
    }
}
