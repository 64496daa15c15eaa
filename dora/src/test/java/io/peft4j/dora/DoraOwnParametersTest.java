package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptableEmbedding;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.BlockNet;
import io.peft4j.adapters.OwnGolden;
import io.peft4j.adapters.OwnNets;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is trained beside DoRA's sites, against real PEFT. */
class DoraOwnParametersTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bias_all_dora",
                "bias_lora_only_dora",
                "save_classifier_dora",
                "tokens_dict_dora"
            })
    void adapterOfPeftLoadsComputesTrainsMergesAndSavesAsThere(String name, @TempDir Path scratch)
            throws IOException {
        Path adapter = TestData.path("golden/blocks/" + name + "/adapter");
        OwnGolden.check(name, Adapters.readConfig(adapter), scratch);
    }

    @Test
    void embeddingThatPeftSavedWithItsBaseWeightLoads() throws IOException {
        try (NDManager manager = NDManager.newBaseManager()) {
            BlockNet net =
                    new BlockNet()
                            .add("model.embed_tokens", new AdaptableEmbedding(32, 16, List.of()), 1)
                            .build(manager, pass -> pass.call("model.embed_tokens", pass.x()));
            try (AdaptedModel adapted = Adapters.load(net, TestData.path("peft/dora_emb"))) {
                String path = "base_model.model.model.embed_tokens.";
                assertThat(adapted.adapter().parameters().keySet())
                        .containsExactly(
                                path + "lora_embedding_A",
                                path + "lora_embedding_B",
                                path + "lora_magnitude_vector");
                assertThat(
                                adapted.adapter()
                                        .parameters()
                                        .get(path + "lora_magnitude_vector")
                                        .getShape())
                        .isEqualTo(new Shape(16));
            }
        }
    }

    /** PEFT has a magnitude for each use then, of other lengths: the two are not one adapter. */
    @Test
    void aTiedEmbeddingCannotBeKeptTied() {
        try (NDManager manager = NDManager.newBaseManager()) {
            BlockNet net = OwnNets.tiedLlama(manager);
            DoraConfig config =
                    DoraConfig.builder()
                            .setRank(2)
                            .setTargetModules("embed_tokens", "q_proj")
                            .optEnsureWeightTying(true)
                            .build();
            assertThatThrownBy(() -> Adapters.attach(net, config))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("method dora")
                    .hasMessageContaining("cannot be kept tied to lm_head");
        }
    }
}
