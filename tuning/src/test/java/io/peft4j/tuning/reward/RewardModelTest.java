package io.peft4j.tuning.reward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A reward model beside another adapter, against transformers and PEFT. */
class RewardModelTest {

    private static final int[] LENGTHS = {9, 5, 7, 2};

    private static CausalLm llama() throws IOException {
        return CausalLm.load(TestData.path("golden/llama3/model"), Device.cpu());
    }

    private static AdaptedModel policy(CausalLm model) throws IOException {
        return Adapters.load(model.block(), TestData.path("golden/llama3/lora"));
    }

    /** Golden rows, cut anywhere into prompt and answer. */
    private static List<Completion> completions(SafetensorsFile golden) throws IOException {
        long[] ids = golden.toLongs("input_ids");
        List<Completion> completions = new ArrayList<>();
        for (int row = 0; row < LENGTHS.length; row++) {
            int from = row * 9;
            int cut = from + LENGTHS[row] / 2;
            Prompt prompt =
                    new Prompt(Arrays.copyOfRange(ids, from, cut), "asked", new JsonObject());
            long[] answer = Arrays.copyOfRange(ids, cut, from + LENGTHS[row]);
            completions.add(new Completion(prompt, answer, "answered", true));
        }
        return completions;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8})
    void rewardsAreThoseOfTransformersInAnyBatch(int batchSize) throws IOException {
        for (String name : List.of("score_lora", "score_dora")) {
            try (CausalLm model = llama();
                    AdaptedModel adapted = policy(model);
                    SafetensorsFile golden =
                            SafetensorsFile.open(
                                    TestData.path(
                                            "golden/llama3/" + name + "/golden.safetensors"))) {
                RewardModel reward =
                        RewardModel.open(
                                model, adapted, "reward", RewardGoldens.start(name), batchSize);
                double[] rewards = reward.rewards(completions(golden));
                float[] expected = golden.toFloats("rewards");
                for (int i = 0; i < expected.length; i++) {
                    assertThat(rewards[i]).isCloseTo(expected[i], within(2e-5));
                }
            }
        }
    }

    /** A resumed run compares them. */
    @Test
    void settingsTellRewardModelsApart() throws IOException {
        try (CausalLm model = llama();
                AdaptedModel adapted = policy(model)) {
            List<String> settings = new ArrayList<>();
            for (String name : List.of("score_lora", "score_dora", "score_lora")) {
                RewardModel reward =
                        RewardModel.open(
                                model,
                                adapted,
                                "reward" + settings.size(),
                                RewardGoldens.start(name),
                                1);
                settings.add(reward.settings());
            }
            assertThat(settings.get(0)).isNotEqualTo(settings.get(1)).hasSize(64);
            assertThat(settings.get(2)).isEqualTo(settings.get(0));
        }
    }

    @Test
    void whatIsActiveStaysSo() throws IOException {
        try (CausalLm model = llama();
                AdaptedModel adapted = policy(model);
                SafetensorsFile golden =
                        SafetensorsFile.open(
                                TestData.path("golden/llama3/score_lora/golden.safetensors"))) {
            RewardModel reward =
                    RewardModel.open(model, adapted, "r", RewardGoldens.start("score_lora"), 2);
            assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
            assertThat(adapted.adapter("r").parameters().values())
                    .noneMatch(parameter -> parameter.requiresGradient());
            double[] first = reward.rewards(completions(golden));
            assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
            adapted.activate();
            assertThat(reward.rewards(completions(golden))).isEqualTo(first);
            assertThat(adapted.active()).isEmpty();
            assertThat(reward.rewards(List.of())).isEmpty();
        }
    }

    @Test
    void aFirstAdapterDoesNotBecomeActiveByIt() throws IOException {
        try (CausalLm model = llama();
                AdaptedModel adapted = policy(model)) {
            adapted.delete(AdaptedModel.DEFAULT);
            RewardModel reward =
                    RewardModel.open(model, adapted, "r", RewardGoldens.start("score_lora"), 2);
            assertThat(adapted.active()).isEmpty();
            assertThat(reward.scores(List.of(Example.of(5, 6)))).hasSize(1);
        }
    }

    @Test
    void anAdapterWithoutAScoreHeadIsRefusedAndLeavesNothing() throws IOException {
        try (CausalLm model = llama();
                AdaptedModel adapted = policy(model)) {
            assertThatThrownBy(
                            () ->
                                    RewardModel.open(
                                            model,
                                            adapted,
                                            "reward",
                                            RewardGoldens.start("dora"),
                                            2))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("found an adapter without");
            assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT);
            assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
        }
    }

    @Test
    void nothingIsLeftBehind() throws IOException {
        try (CausalLm model = llama();
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                LoraConfig.builder()
                                        .setRank(2)
                                        .setTargetModules("q_proj")
                                        .build());
                SafetensorsFile golden =
                        SafetensorsFile.open(
                                TestData.path("golden/llama3/score_lora/golden.safetensors"))) {
            RewardModel reward =
                    RewardModel.open(model, adapted, "r", RewardGoldens.start("score_lora"), 2);
            List<Integer> managed = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                double[] unused = reward.rewards(completions(golden));
                managed.add(RewardTrainerTest.managed(model));
            }
            assertThat(managed.subList(2, 5)).containsOnly(managed.get(1));
        }
    }
}
