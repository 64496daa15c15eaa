package io.peft4j.adapters;

import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Biases, whole modules, token rows and ties against real PEFT. */
class OwnParametersGoldenTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bias_all_lora",
                "bias_lora_only_lora",
                "save_classifier_lora",
                "save_classifier_norm_lora",
                "save_embedding_lora",
                "tokens_dict_lora",
                "tokens_list_lora",
                "tokens_two_embeddings_lora",
                "tied_embed_lora",
                "tied_embed_lora_ensured",
                "tied_head_lora",
                "tied_head_lora_ensured",
                "tied_save_embed",
                "tied_save_embed_ensured",
                "tied_save_head",
                "tied_save_head_ensured",
                "tied_tokens",
                "tied_tokens_ensured"
            })
    void adapterOfPeftLoadsComputesTrainsMergesAndSavesAsThere(String name, @TempDir Path scratch)
            throws IOException {
        Path adapter = TestData.path("golden/blocks/" + name + "/adapter");
        OwnGolden.check(name, PlainLora.read(adapter), scratch);
    }
}
