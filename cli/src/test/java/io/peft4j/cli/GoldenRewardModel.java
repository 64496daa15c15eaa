package io.peft4j.cli;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.reward.RewardHead;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A reward model of no use on the small OpenELM: a new adapter with a score head. */
final class GoldenRewardModel {

    private GoldenRewardModel() {}

    /** Saves it in a new directory. */
    static Path in(Path parent) throws IOException {
        Path saved = Files.createDirectory(parent.resolve("judge"));
        try (CausalLm model = CausalLm.load(GoldenRows.MODEL, Device.cpu())) {
            model.addScoreHead(7);
            LoraConfig config =
                    LoraConfig.builder()
                            .setRank(2)
                            .setTargetModules(
                                    TargetModules.of("qkv_proj")
                                            .withModulesToSave(RewardHead.MODULES_TO_SAVE))
                            .optTaskType(RewardHead.TASK_TYPE)
                            .build();
            try (AdaptedModel adapted = Adapters.attach(model.block(), config)) {
                adapted.adapter().save(saved);
            }
        }
        return saved;
    }
}
