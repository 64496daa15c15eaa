package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.online.PromptDataset;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.online.group.GrpoConfig;
import io.peft4j.tuning.online.group.GrpoTrainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java code of docs/online.md is the code below. */
class OnlinePageTest {

    private static final Path MODEL = TestData.path("embedded/model");

    @TempDir private Path directory;

    @Test
    void thePagesExampleLearnsFromItsRewards() throws IOException {
        Path file = directory.resolve("prompts.jsonl");
        List<String> rows = Files.readAllLines(TestData.path("embedded/sft_train.jsonl"));
        Files.write(file, rows.subList(0, 2));
        Path output = directory.resolve("adapter");
        LoraConfig lora = LoraConfig.builder().setRank(2).setTargetModules("all-linear").build();
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(MODEL);
                AdaptedModel adapted = Adapters.attach(model.block(), lora)) {
            // example begins
            RewardFunction brief = RewardFunction.each(answer -> -answer.text().length() / 100.0);
            RewardFunction marks =
                    RewardFunction.each(answer -> answer.text().contains("<<") ? 1 : 0);
            PromptDataset data = PromptDataset.read(file, tokenizer, 256);
            GrpoTrainer.train(
                    model,
                    tokenizer,
                    new AdapterTrainable(adapted),
                    data.prompts(),
                    List.of(),
                    List.of(new Reward("marks", marks), new Reward("brief", brief, 0.1)),
                    GrpoConfig.builder()
                            .optNumGenerations(4)
                            .optGeneration(
                                    GenerationConfig.builder()
                                            .optMaxNewTokens(32)
                                            .optTemperature(1)
                                            .build())
                            .build(),
                    TrainingConfig.builder().optBatchSize(2).optLearningRate(1e-4).build(),
                    output);
            // example ends
        }
        assertThat(output.resolve("adapter_model.safetensors")).isNotEmptyFile();
        assertThat(output.resolve("metrics.jsonl"))
                .content()
                .contains("rewards/marks/mean", "rewards/brief/std", "reward_std");
    }
}
