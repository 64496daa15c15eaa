package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import io.peft4j.adapters.Site;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** New adapters on weights that are no linear layer's. */
class LoraKindsTest {

    @TempDir private Path directory;

    private static LoraConfig config(String module, double dropout) {
        return LoraConfig.builder().setRank(4).optDropout(dropout).setTargetModules(module).build();
    }

    @Test
    void aNewEmbeddingAdapterHasAZeroAAndANormalB() throws IOException {
        Block block = GoldenBlocks.tokens("embed");
        try (BlockGolden golden = new BlockGolden("embedding_lora", block);
                AdaptedModel adapted = Adapters.attach(block, config("embed", 0), 1)) {
            NDArray a = parameter(adapted, "embed.lora_embedding_A");
            NDArray b = parameter(adapted, "embed.lora_embedding_B");
            assertThat(a.getShape().getShape()).containsExactly(4, 11);
            assertThat(b.getShape().getShape()).containsExactly(6, 4);
            assertThat(a.abs().max().getFloat()).isZero();
            assertThat(b.square().mean().getFloat()).isBetween(0.4f, 2f);
            assertThat(golden.run(adapted, golden.tensor("x"), false).toFloatArray())
                    .isEqualTo(golden.tensor("disabled").toFloatArray());
        }
    }

    @Test
    void aNewConvolutionAdapterHasAKaimingAOfItsWholeKernel() throws IOException {
        Block block = GoldenBlocks.conv2d();
        try (BlockGolden golden = new BlockGolden("conv2d_lora", block);
                AdaptedModel adapted = Adapters.attach(block, config("conv1", 0), 1)) {
            NDArray a = parameter(adapted, "conv1.lora_A.weight");
            NDArray b = parameter(adapted, "conv1.lora_B.weight");
            assertThat(a.getShape().getShape()).containsExactly(4, 3, 3, 2);
            assertThat(b.getShape().getShape()).containsExactly(4, 4, 1, 1);
            float bound = (float) (1 / Math.sqrt(3 * 3 * 2));
            assertThat(a.abs().max().getFloat()).isCloseTo(bound, within(0.1f * bound));
            assertThat(a.abs().max().getFloat()).isLessThanOrEqualTo(bound);
            assertThat(b.abs().max().getFloat()).isZero();
            golden.assertClose("disabled", golden.run(adapted, golden.tensor("x"), false), 1e-6f);
        }
    }

    @Test
    void aWeightOfTheNameWeightIsItsModules() throws IOException {
        Block block = GoldenBlocks.transposed();
        try (BlockGolden golden = new BlockGolden("fan_in_fan_out_lora", block)) {
            assertThat(Adapters.sites(block))
                    .extracting(Site::path, Site::kind)
                    .containsExactly(
                            tuple("fc1", Site.Kind.MATRIX), tuple("fc2", Site.Kind.MATRIX));
            assertThat(golden.manager().isOpen()).isTrue();
        }
    }

    @Test
    void dropoutThatCannotActIsRefusedForANewAdapterAndInTrainingOfASavedOne() throws IOException {
        Block block = GoldenBlocks.conv2d();
        try (BlockGolden golden = new BlockGolden("conv2d_lora", block)) {
            assertThatThrownBy(() -> Adapters.attach(block, config("conv1", 0.1), 1))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("conv1")
                    .hasMessageContaining("0.1");
            try (AdaptedModel adapted = Adapters.attach(block, config("conv1", 0), 1)) {
                adapted.save(directory);
            }
            Path config = directory.resolve("adapter_config.json");
            String text = Files.readString(config);
            Files.writeString(config, text.replace("\"lora_dropout\": 0", "\"lora_dropout\": 0.1"));
            try (AdaptedModel adapted = Adapters.load(block, directory)) {
                NDArray x = golden.tensor("x");
                golden.assertClose("disabled", golden.run(adapted, x, false), 1e-6f);
                assertThatThrownBy(() -> golden.run(adapted, x, true))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("dropout 0.1");
            }
        }
    }

    @Test
    void anEmbeddingDropsNothing() throws IOException {
        Block block = GoldenBlocks.djlTokens("embed");
        try (BlockGolden golden = new BlockGolden("embedding_lora", block);
                AdaptedModel adapted = Adapters.attach(block, config("embed", 0.5), 1)) {
            Adapter adapter = adapted.adapter();
            assertThat(adapter.states().get("embed").dropout()).isZero();
            assertThat(golden.run(adapted, golden.tensor("x"), true).toFloatArray())
                    .isEqualTo(golden.tensor("disabled").toFloatArray());
        }
    }

    private static NDArray parameter(AdaptedModel adapted, String key) {
        Map<String, Parameter> parameters = adapted.adapter().parameters();
        return parameters.get("base_model.model." + key).getArray();
    }
}
