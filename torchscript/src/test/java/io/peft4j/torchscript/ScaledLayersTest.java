package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.MergeReport;
import io.peft4j.ia3.Ia3Config;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** (IA)³ on an archive: weights and biases are pushed, since no low-rank update tells it. */
class ScaledLayersTest {

    private static final AdapterConfig CONFIG =
            Ia3Config.builder()
                    .setTargetModules("added", "multiplied", "last")
                    .optFeedforwardModules("last")
                    .build();

    private static float[] run(NDManager manager, Block block, NDArray x) {
        try (NDManager scope = manager.newSubManager();
                GradMode off = GradMode.disabled()) {
            ParameterStore store = new ParameterStore(scope, false);
            return block.forward(store, new NDList(x), false).head().toFloatArray();
        }
    }

    @Test
    void outputsWithTheirBiasAndInputsAreScaledAsInTheMergedModel() throws IOException {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            Block block = TorchScriptBlock.load(PeftGolden.archive("forms"), manager);
            Random random = new Random(3);
            float[] values = new float[24];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            NDArray x = Tensors.of(manager, values, new Shape(4, 6));
            float[] base = run(manager, block, x);
            try (AdaptedModel adapted = Adapters.attach(block, CONFIG)) {
                assertThat(run(manager, adapted.block(), x)).isEqualTo(base);
                for (Parameter parameter : adapted.adapter().parameters().values()) {
                    float[] factors = new float[(int) parameter.getShape().size()];
                    for (int i = 0; i < factors.length; i++) {
                        factors[i] = 1 + 0.3f * (float) random.nextGaussian();
                    }
                    try (NDArray drawn = Tensors.of(manager, factors, parameter.getShape())) {
                        Tensors.copy(drawn, parameter.getArray());
                    }
                }
                float[] on = run(manager, adapted.block(), x);
                assertThat(on).isNotEqualTo(base);
                assertTrains(manager, adapted, x);
                assertThat(adapted.merge().sites())
                        .extracting(MergeReport.SiteChange::path)
                        .contains("added.bias", "multiplied.bias")
                        .doesNotContain("last.bias");
                float[] merged = run(manager, adapted.block(), x);
                for (int i = 0; i < on.length; i++) {
                    assertThat(merged[i]).isCloseTo(on[i], within(2e-6f));
                }
            }
            assertThat(run(manager, block, x)).isEqualTo(base);
        }
    }

    private static void assertTrains(NDManager manager, AdaptedModel adapted, NDArray x) {
        try (NDManager scope = manager.newSubManager();
                GradMode on = GradMode.enabled()) {
            ParameterStore store = new ParameterStore(scope, false);
            NDArray y = adapted.block().forward(store, new NDList(x), true).head();
            Gradients.backward(y.square().sum());
        }
        for (Parameter parameter : adapted.adapter().parameters().values()) {
            assertThat(parameter.getArray().getGradient().abs().sum().getFloat()).isPositive();
        }
    }
}
