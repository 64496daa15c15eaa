package io.peft4j.dora;

import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Output, gradients, merge, files and training on modules of every kind are PEFT's. */
class DoraBlocksTest {

    @ParameterizedTest
    @ValueSource(
            strings = {"embedding_dora", "embedding_linear_dora", "embedding_linear_dora_rslora"})
    void embeddingsEqualPeft(String name) throws IOException {
        BlockGolden.check(name, GoldenBlocks.tokens("embed"));
        BlockGolden.check(name, GoldenBlocks.djlTokens("embed"));
    }

    @Test
    void convolutionsEqualPeft() throws IOException {
        BlockGolden.check("conv1d_dora", GoldenBlocks.conv1d());
        BlockGolden.check("conv2d_dora", GoldenBlocks.conv2d());
        BlockGolden.check("conv2d_point_dora", GoldenBlocks.point());
        BlockGolden.check("conv3d_dora", GoldenBlocks.conv3d());
    }

    @Test
    void aConvolutionAndALinearLayerEqualPeft() throws IOException {
        BlockGolden.check("cnn_dora", GoldenBlocks.cnn());
    }

    @Test
    void weightsStoredInOutEqualPeft() throws IOException {
        BlockGolden.check("fan_in_fan_out_dora", GoldenBlocks.transposed());
    }
}
