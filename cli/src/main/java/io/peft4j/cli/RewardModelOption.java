package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.files.Sha256;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.reward.RewardModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** A reward model on the same base, which judges answers. */
final class RewardModelOption {

    /** What its adapter is called on the base. */
    static final String NAME = "reward";

    @Option(
            names = "--reward-model",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description =
                    "Judges answers by a reward model: an adapter of the same base with a score"
                            + " head. With --algorithm ppo the value function begins as a copy of"
                            + " it.")
    private @Nullable Source adapter;

    /** Where it was found. */
    private @Nullable Path directory;

    void check() {
        if (adapter != null) {
            adapter.check("--reward-model");
        }
    }

    boolean isGiven() {
        return adapter != null;
    }

    /** Puts the reward model beside the policy, if there is one. */
    Optional<Reward> open(CausalLm model, AdaptedModel adapted, int batchSize, PrintWriter err)
            throws IOException {
        if (adapter == null) {
            return Optional.empty();
        }
        directory = adapter.fetchAdapter(err);
        return Optional.of(
                new Reward(
                        "reward_model",
                        RewardModel.open(model, adapted, NAME, directory, batchSize)));
    }

    /** What a provenance is to tell of it. */
    Map<String, String> facts() throws IOException {
        return directory == null
                ? Map.of()
                : Map.of(
                        "reward_model_sha256",
                        Sha256.of(directory.resolve("adapter_model.safetensors")));
    }
}
