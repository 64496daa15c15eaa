package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.preference.DpoConfig;
import io.peft4j.tuning.preference.DpoTrainer;
import io.peft4j.tuning.preference.LossType;
import io.peft4j.tuning.preference.PreferenceDataset;
import io.peft4j.tuning.preference.PreferenceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java code of docs/preference.md is the code below. */
class PreferencePageTest {

    private static final Path MODEL = TestData.path("embedded/model");

    @TempDir private Path directory;

    @Test
    void thePagesExampleTrainsAnAdapterOnPairs() throws IOException {
        Path file = directory.resolve("pairs.jsonl");
        List<String> rows = Files.readAllLines(TestData.path("embedded/dpo_train.jsonl"));
        Files.write(file, rows.subList(0, 3));
        Path output = directory.resolve("adapter");
        DoraConfig dora = DoraConfig.builder().setRank(2).setTargetModules("all-linear").build();
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(MODEL);
                AdaptedModel adapted = Adapters.attach(model.block(), dora)) {
            int vocabularySize = model.config().vocabularySize();
            // example begins
            PreferenceDataset data =
                    PreferenceDataset.read(
                            file, tokenizer, new PreferenceOptions(vocabularySize, 1024));
            DpoTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    data.pairs(),
                    List.of(),
                    DpoConfig.builder().optBeta(0.1).optLossTypes(List.of(LossType.IPO)).build(),
                    TrainingConfig.builder().optLearningRate(1e-5).build(),
                    output);
            // example ends
        }
        assertThat(output.resolve("adapter_model.safetensors")).isNotEmptyFile();
        assertThat(output.resolve("metrics.jsonl")).content().contains("rewards/margins");
    }
}
