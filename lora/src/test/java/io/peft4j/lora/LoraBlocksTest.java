package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.nn.Block;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Output, gradients, merge, files and training on modules of every kind are PEFT's. */
class LoraBlocksTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "embedding_lora",
                "embedding_rslora",
                "embedding_linear_lora",
                "embedding_linear_rslora"
            })
    void embeddingsEqualPeft(String name) throws IOException {
        BlockGolden.check(name, GoldenBlocks.tokens("embed"));
        BlockGolden.check(name, GoldenBlocks.djlTokens("embed"));
    }

    @Test
    void convolutionsEqualPeft() throws IOException {
        BlockGolden.check("conv1d_lora", GoldenBlocks.conv1d());
        BlockGolden.check("conv2d_lora", GoldenBlocks.conv2d());
        BlockGolden.check("conv2d_point_lora", GoldenBlocks.point());
        BlockGolden.check("conv3d_lora", GoldenBlocks.conv3d());
        BlockGolden.check("conv2d_rslora", GoldenBlocks.conv2d());
    }

    @Test
    void aConvolutionAndALinearLayerEqualPeft() throws IOException {
        BlockGolden.check("cnn_lora", GoldenBlocks.cnn());
    }

    @Test
    void weightsStoredInOutEqualPeft() throws IOException {
        BlockGolden.check("fan_in_fan_out_lora", GoldenBlocks.transposed());
    }

    @Test
    void aBiasOfBEqualsPeft() throws IOException {
        BlockGolden.check("lora_bias", GoldenBlocks.mlp());
        BlockGolden.check("lora_bias_rslora", GoldenBlocks.mlp());
        BlockGolden.check("lora_bias_conv", GoldenBlocks.cnn());
    }

    @Test
    void aBiasOfBNeedsAModuleWithABiasAndNoEmbedding() throws IOException {
        Block point = GoldenBlocks.point();
        try (BlockGolden golden = new BlockGolden("conv2d_point_lora", point)) {
            LoraConfig config = biased("conv1");
            assertThatThrownBy(() -> Adapters.attach(point, config))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("conv1 has no bias");
            assertThat(golden.has("x")).isTrue();
        }
        Block tokens = GoldenBlocks.tokens("embed");
        try (BlockGolden golden = new BlockGolden("embedding_lora", tokens)) {
            LoraConfig config = biased("embed");
            assertThatThrownBy(() -> Adapters.attach(tokens, config))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("embed is an embedding");
            assertThat(golden.has("x")).isTrue();
        }
    }

    private static LoraConfig biased(String module) {
        return LoraConfig.builder().setRank(1).optLoraBias(true).setTargetModules(module).build();
    }

    @Test
    void aConvolutionInGroupsIsRefusedWithTheReason() throws IOException {
        Block block = GoldenBlocks.groups();
        try (BlockGolden golden = new BlockGolden("conv2d_groups_lora", block)) {
            assertThatThrownBy(() -> Adapters.load(block, golden.adapter()))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("conv1 is a convolution in groups");
        }
    }
}
