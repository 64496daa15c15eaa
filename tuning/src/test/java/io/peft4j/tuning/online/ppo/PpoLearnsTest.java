package io.peft4j.tuning.online.ppo;

import static org.assertj.core.api.Assertions.assertThat;

import io.peft4j.lora.LoraConfig;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.online.OnlineModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A reward that a program verifies rises, on prompts that were never trained on. */
class PpoLearnsTest {

    private static final GenerationConfig SAMPLING =
            GenerationConfig.builder().optMaxNewTokens(8).optTemperature(1).build();

    @TempDir Path output;

    @Test
    void theShareOfLettersRisesOnHeldOutPrompts() throws IOException {
        List<Double> rewards = new ArrayList<>();
        LoraConfig lora =
                LoraConfig.builder().setRank(8).setTargetModules("down_proj", "lm_head").build();
        try (OnlineModel model = OnlineModel.fresh(lora)) {
            ValueAdapter.fresh(model.model(), model.adapted(), 5);
            PpoTrainer.train(
                    model.model(),
                    model.tokenizer(),
                    new AdapterTrainable(model.adapted()),
                    model.prompts(),
                    model.prompts(
                            "3+3=",
                            "One, two,",
                            "Say yes: ",
                            "z y x",
                            "?",
                            "Ende gut, ",
                            "0",
                            "!!"),
                    OnlineModel.REWARDS,
                    PpoConfig.builder()
                            .optGeneration(SAMPLING)
                            .optEvalGeneration(SAMPLING)
                            .optKlCoef(0.01)
                            .optMiniBatches(2)
                            .build(),
                    TrainingConfig.builder()
                            .optBatchSize(32)
                            .optMaxSteps(16)
                            .optEvalSteps(1)
                            .optLearningRate(2e-2)
                            .build(),
                    output,
                    new TrainingObserver() {
                        @Override
                        public void onEvaluation(int step, EvaluationResult result, boolean best) {
                            rewards.add(-result.loss());
                        }
                    });
        }
        assertThat(rewards.get(15)).as("rewards %s", rewards).isGreaterThan(rewards.get(0) + 0.3);
    }
}
