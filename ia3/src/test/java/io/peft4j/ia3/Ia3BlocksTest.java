package io.peft4j.ia3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Output, gradients, merge, files and training on modules of every kind are PEFT's. */
class Ia3BlocksTest {

    @ParameterizedTest
    @ValueSource(strings = {"ia3_outputs", "ia3_inputs", "ia3_regex", "ia3_random"})
    void linearLayersEqualPeft(String name) throws IOException {
        BlockGolden.check(name, GoldenBlocks.mlp());
    }

    @Test
    void convolutionsEqualPeft() throws IOException {
        BlockGolden.check("ia3_conv2d", GoldenBlocks.conv2d());
        BlockGolden.check("ia3_conv2d_inputs", GoldenBlocks.conv2d());
        BlockGolden.check("ia3_conv2d_point", GoldenBlocks.point());
        BlockGolden.check("ia3_conv2d_groups", GoldenBlocks.groups());
        BlockGolden.check("ia3_conv3d", GoldenBlocks.conv3d());
        BlockGolden.check("ia3_conv3d_inputs", GoldenBlocks.conv3d());
    }

    @Test
    void aConvolutionAndALinearLayerEqualPeft() throws IOException {
        BlockGolden.check("ia3_cnn", GoldenBlocks.cnn());
    }

    @Test
    void weightsStoredInOutEqualPeft() throws IOException {
        BlockGolden.check("ia3_fan_in_fan_out", GoldenBlocks.transposed());
    }

    @Test
    void aHeadThatIsTrainedWholeEqualsPeft() throws IOException {
        BlockGolden.check("ia3_save_classifier", GoldenBlocks.classifier(false));
    }

    @Test
    void factorsOfAdaptersThatAreActiveTogetherMultiplyAsInPeft() throws IOException {
        Block block = GoldenBlocks.mlp();
        try (BlockGolden golden = new BlockGolden("ia3_named", block);
                AdaptedModel adapted = Adapters.load(block, golden.directory().resolve("first"))) {
            adapted.load("second", golden.directory().resolve("second"));
            assertIsPeft(golden, adapted, "first", AdaptedModel.DEFAULT);
            assertIsPeft(golden, adapted, "second", "second");
            assertIsPeft(golden, adapted, "both", AdaptedModel.DEFAULT, "second");
            assertIsPeft(golden, adapted, "both", "second", AdaptedModel.DEFAULT);
        }
    }

    private static void assertIsPeft(
            BlockGolden golden, AdaptedModel adapted, String which, String... active)
            throws IOException {
        adapted.activate(active);
        golden.assertClose("y." + which, golden.run(adapted, golden.tensor("x"), false), 3e-6f);
        try (GradMode on = GradMode.enabled()) {
            NDArray x = golden.tensor("x");
            x.setRequiresGradient(true);
            Gradients.backward(golden.run(adapted, x, true), golden.tensor("upstream"));
            golden.assertClose("grad." + which + ".x", x.getGradient(), 2e-5f);
            for (String name : active) {
                String peft = name.equals(AdaptedModel.DEFAULT) ? "first" : name;
                for (Map.Entry<String, Parameter> entry :
                        adapted.adapter(name).parameters().entrySet()) {
                    NDArray array = entry.getValue().getArray();
                    String key = "grad." + which + "." + peft + "." + entry.getKey();
                    golden.assertClose(key, array.getGradient(), 2e-5f);
                    Gradients.zero(array);
                }
            }
        }
        adapted.merge();
        for (Map.Entry<String, Parameter> merged :
                golden.named("merged." + which + ".").entrySet()) {
            golden.assertClose(
                    "merged." + which + "." + merged.getKey(), merged.getValue().getArray(), 3e-6f);
        }
        adapted.unmerge();
    }

    @Test
    void aBiasIsNeitherASiteNorASecondSetOfFactors() throws IOException {
        Block block = GoldenBlocks.mlp();
        try (BlockGolden golden = new BlockGolden("ia3_outputs", block);
                AdaptedModel adapted = Adapters.load(block, golden.adapter())) {
            assertThat(adapted.adapter().states()).containsOnlyKeys("fc1", "fc3");
            assertThat(adapted.summary().trainable()).isEqualTo(6 + 4);
            assertThat(adapted.summary().toString())
                    .startsWith("trainable params: 10 ||")
                    .doesNotContain("bias");
            assertThat(adapted.merge().sites())
                    .extracting(site -> site.path())
                    .containsExactly("fc1", "fc1.bias", "fc3", "fc3.bias");
        }
    }

    @Test
    void whatPeftDoesNotAdaptIsRefusedWithTheReason() throws IOException {
        Block tokens = GoldenBlocks.tokens("embed");
        try (BlockGolden golden = new BlockGolden("embedding_lora", tokens)) {
            assertRefused(golden, tokens, config("embed"), "embed is an embedding");
        }
        Block groups = GoldenBlocks.groups();
        try (BlockGolden golden = new BlockGolden("ia3_conv2d_groups", groups)) {
            Ia3Config inputs =
                    Ia3Config.builder()
                            .setTargetModules("conv1")
                            .optFeedforwardModules("conv1")
                            .build();
            assertRefused(golden, groups, inputs, "conv1 is a convolution in groups");
        }
        Block transposed = GoldenBlocks.transposed();
        try (BlockGolden golden = new BlockGolden("ia3_fan_in_fan_out", transposed)) {
            assertRefused(golden, transposed, config("fc1"), "fan_in_fan_out");
        }
    }

    private static Ia3Config config(String module) {
        return Ia3Config.builder().setTargetModules(module).build();
    }

    private static void assertRefused(
            BlockGolden golden, Block block, Ia3Config config, String reason) {
        assertThat(golden.has("x")).isTrue();
        assertThatThrownBy(() -> Adapters.attach(block, config))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining(reason);
    }
}
