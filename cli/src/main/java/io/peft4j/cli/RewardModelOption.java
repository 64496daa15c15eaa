package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.files.Sha256;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.reward.RewardModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
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

    void check() {
        if (adapter != null) {
            adapter.check("--reward-model");
        }
    }

    boolean isGiven() {
        return adapter != null;
    }

    /** Puts the reward model beside the policy, if there is one. */
    Optional<Reward> open(CausalLm base, AdaptedModel adapted, int batchSize, PrintWriter err)
            throws IOException {
        if (adapter == null) {
            return Optional.empty();
        }
        Path directory = adapter.fetchAdapter(err);
        RewardModel model = RewardModel.open(base, adapted, NAME, directory, batchSize);
        String hash = Sha256.of(directory.resolve("adapter_model.safetensors"));
        return Optional.of(new Reward("reward_model", new Judge(model, hash)));
    }

    /** A reward model that a resumed run can tell from another. */
    private record Judge(RewardModel model, String settings) implements RewardFunction {

        @Override
        public double[] rewards(List<Completion> completions) {
            return model.rewards(completions);
        }
    }
}
