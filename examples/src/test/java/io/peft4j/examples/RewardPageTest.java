package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.reward.RewardConfig;
import io.peft4j.tuning.reward.RewardDataset;
import io.peft4j.tuning.reward.RewardHead;
import io.peft4j.tuning.reward.RewardModel;
import io.peft4j.tuning.reward.RewardTrainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java code of the section on reward models in docs/preference.md is the code below. */
class RewardPageTest {

    private static final Path MODEL = TestData.path("embedded/model");

    @TempDir private Path directory;

    @Test
    void thePagesExampleTrainsAJudgeAndAsksIt() throws IOException {
        Path file = directory.resolve("pairs.jsonl");
        List<String> rows = Files.readAllLines(TestData.path("embedded/dpo_train.jsonl"));
        Files.write(file, rows.subList(0, 3));
        Path output = directory.resolve("reward");
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            train(model, tokenizer, file, output, 42);
            judge(model, tokenizer, output);
        }
        assertThat(output.resolve("metrics.jsonl")).content().contains("mean_reward");
    }

    private static void train(
            CausalLm model, Tokenizer tokenizer, Path file, Path output, long seed)
            throws IOException {
        // example begins
        model.addScoreHead(seed);
        TargetModules linear = TargetModules.builder().optAllLinear().build();
        LoraConfig lora =
                LoraConfig.builder()
                        .setRank(16)
                        .optTaskType(RewardHead.TASK_TYPE)
                        .setTargetModules(linear.withModulesToSave(RewardHead.MODULES_TO_SAVE))
                        .build();
        // example ends
        int vocabularySize = model.config().vocabularySize();
        try (AdaptedModel adapted = Adapters.attach(model.block(), lora)) {
            // example begins
            RewardTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    RewardDataset.read(file, tokenizer, vocabularySize, 1024).pairs(),
                    List.of(),
                    RewardConfig.builder().optCenterRewardsCoefficient(0.01).build(),
                    TrainingConfig.builder().optLearningRate(1e-4).build(),
                    output);
            // example ends
        }
    }

    private static void judge(CausalLm model, Tokenizer tokenizer, Path directory)
            throws IOException {
        Prompt prompt = new Prompt(tokenizer.encode("2+2=", true), "2+2=", new JsonObject());
        List<Completion> completions =
                List.of(
                        new Completion(prompt, tokenizer.encode(" 4", false), " 4", false),
                        new Completion(prompt, tokenizer.encode(" five", false), " five", false));
        LoraConfig policy = LoraConfig.builder().setRank(2).setTargetModules("all-linear").build();
        try (AdaptedModel adapted = Adapters.attach(model.block(), policy)) {
            // example begins
            RewardModel judge = RewardModel.open(model, adapted, "reward", directory, 8);
            double[] rewards = judge.rewards(completions);
            // example ends
            assertThat(rewards).hasSize(2);
            assertThat(rewards[0]).isFinite().isNotEqualTo(rewards[1]);
            assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
        }
    }
}
