package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockGolden;
import io.peft4j.adapters.GoldenBlocks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoraConversionTest {

    @TempDir private Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "init_pissa",
                "init_pissa_rslora",
                "init_pissa_rank_pattern",
                "init_olora",
                "init_olora_rslora"
            })
    void thePlainAdapterIsThatOfPeft(String name) throws IOException {
        Block block = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden(name, block);
                AdaptedModel adapted = Adapters.load(block, golden.adapter());
                NDManager scope = golden.manager().newSubManager()) {
            Adapter ours = LoraConversion.toPlain(adapted, "default", "ours");
            Path converted = golden.directory().resolve("converted");
            Adapter theirs = adapted.load("theirs", converted);
            assertThat(ours.config().toPeft().json()).isEqualTo(theirs.config().toPeft().json());
            for (String module : List.of("fc1", "fc2")) {
                NDArray difference = ours.delta(scope, module).sub(theirs.delta(scope, module));
                assertThat(difference.abs().max().getFloat()).as(module).isLessThan(2e-6f);
            }
            adapted.activate("ours");
            golden.assertOutput(adapted);
            ours.save(directory);
        }
        Block fresh = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden(name, fresh);
                AdaptedModel loaded = Adapters.load(fresh, directory)) {
            golden.assertOutput(loaded);
        }
    }

    @Test
    void anEmbeddingOfTheSameAdapterKeepsItsFunction() throws IOException {
        Block block = GoldenBlocks.tokens("embed");
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(2)
                        .optInit(LoraInit.PISSA)
                        .setTargetModules("embed", "fc")
                        .build();
        try (BlockGolden golden = new BlockGolden("embedding_lora", block);
                AdaptedModel adapted = Adapters.attach(block, config, 1);
                NDManager scope = golden.manager().newSubManager()) {
            adapted.adapter()
                    .parameters()
                    .values()
                    .forEach(p -> p.getArray().addi(scope.randomNormal(p.getShape())));
            Adapter plain = LoraConversion.toPlain(adapted, "default", "plain");
            for (String module : List.of("embed", "fc")) {
                NDArray before = adapted.adapter().delta(scope, module);
                NDArray difference = plain.delta(scope, module).sub(before);
                assertThat(before.abs().max().getFloat()).isPositive();
                assertThat(difference.abs().max().getFloat()).as(module).isLessThan(1e-5f);
            }
        }
    }

    @Test
    void aPlainAdapterIsNotConverted() throws IOException {
        Block block = GoldenBlocks.pair();
        try (BlockGolden golden = new BlockGolden("init_orthogonal", block);
                AdaptedModel adapted = Adapters.load(block, golden.adapter())) {
            assertThatThrownBy(() -> LoraConversion.toPlain(adapted, "default", "plain"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("default");
            assertThat(adapted.names()).containsExactly("default");
        }
    }
}
