package io.peft4j.benchmarks;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.HeadScores;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.PeakMemory;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.ppo.PpoConfig;
import io.peft4j.tuning.online.ppo.PpoTrainer;
import io.peft4j.tuning.online.ppo.ValueAdapter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * The peak memory of a PPO step with all its roles (policy, reference, value and reward are
 * adapters) beside that of fine-tuning the policy's adapter on sequences of the same lengths, each
 * in a process of its own.
 *
 * <p>Arguments: a model directory, or a {@code config.json} for random weights; a directory with a
 * tokenizer; the sequences, and the tokens of a prompt and of an answer.
 */
public final class RolesMemory {

    private static final String REWARD = "reward";

    /** Of both: what a larger heap holds of garbage is no need of either. */
    private static final String HEAP = "-Xmx128m";

    private static final int NO_TOKEN = -1; // ends no text, so that all answers have one length
    private static final Gson GSON = new Gson();

    private RolesMemory() {}

    /**
     * What a process has held.
     *
     * @param trainingMb the peak of the training, megabytes
     * @param base the bytes of the base's weights
     */
    record Held(double trainingMb, long base) {}

    /**
     * Measures both and prints their figures as JSON.
     *
     * @param arguments as above
     * @throws IOException if a file cannot be read or written
     * @throws InterruptedException if this is interrupted while a process runs
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length == 6) {
            System.out.println(GSON.toJson(Workload.of(arguments).measure(arguments[5])));
        } else {
            System.out.println(compare(List.of(arguments)));
        }
    }

    static JsonObject compare(List<String> arguments) throws IOException, InterruptedException {
        Held sft = inProcess(arguments, "sft");
        Held ppo = inProcess(arguments, "ppo");
        JsonObject result = new JsonObject();
        result.addProperty("base_mb", sft.base() / 1e6);
        result.addProperty("sft_mb", sft.trainingMb());
        result.addProperty("ppo_mb", ppo.trainingMb());
        result.addProperty("ratio", ppo.trainingMb() / sft.trainingMb());
        return result;
    }

    private static Held inProcess(List<String> arguments, String task)
            throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(arguments);
        all.add(task);
        return GSON.fromJson(ChildProcess.java(RolesMemory.class, all, HEAP), Held.class);
    }

    /** What is trained on. */
    private record Workload(Path model, Path tokenizer, int rows, int prompt, int answer) {

        static Workload of(String[] arguments) {
            return new Workload(
                    Path.of(arguments[0]),
                    Path.of(arguments[1]),
                    Integer.parseInt(arguments[2]),
                    Integer.parseInt(arguments[3]),
                    Integer.parseInt(arguments[4]));
        }

        Held measure(String task) throws IOException {
            LoraConfig lora =
                    LoraConfig.builder().setRank(16).setTargetModules("all-linear").build();
            Path output = Files.createTempDirectory("roles");
            try (CausalLm loaded = load();
                    Tokenizer tokens = Tokenizer.load(tokenizer);
                    AdaptedModel adapted = Adapters.attach(loaded.block(), lora)) {
                PeakMemory peak = PeakMemory.start();
                if (task.equals("sft")) {
                    sft(loaded, adapted, output);
                } else {
                    ppo(loaded, tokens, adapted, output);
                }
                long base =
                        loaded.parameters().values().stream()
                                .mapToLong(p -> 4 * p.getShape().size())
                                .sum();
                return new Held(peak.read().megabytes(), base);
            }
        }

        private CausalLm load() throws IOException {
            return Files.isDirectory(model)
                    ? CausalLm.load(model, Device.cpu())
                    : CausalLm.create(ModelConfig.read(model), Device.cpu(), 1);
        }

        private TrainingConfig config() {
            return TrainingConfig.builder()
                    .optBatchSize(rows)
                    .optMaxSteps(2)
                    .optLearningRate(1e-4)
                    .optSaveSteps(0)
                    .build();
        }

        private long[] tokens(Random random, int count) {
            return random.longs(count, 4, 2000).toArray();
        }

        private void sft(CausalLm model, AdaptedModel adapted, Path output) throws IOException {
            Random random = new Random(1);
            List<Example> examples = new ArrayList<>();
            for (int i = 0; i < rows; i++) {
                long[] ids = tokens(random, prompt + answer);
                long[] labels = ids.clone();
                Arrays.fill(labels, 0, prompt, Example.IGNORED);
                examples.add(new Example(ids, labels));
            }
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    examples,
                    List.of(),
                    config(),
                    output);
        }

        private void ppo(CausalLm model, Tokenizer tokenizer, AdaptedModel adapted, Path output)
                throws IOException {
            Random random = new Random(1);
            List<Prompt> prompts = new ArrayList<>();
            for (int i = 0; i < rows; i++) {
                prompts.add(new Prompt(tokens(random, prompt), "", new JsonObject()));
            }
            Adapter value = ValueAdapter.fresh(model, adapted, 2);
            adapted.add(REWARD, value.config(), 3);
            PpoTrainer.train(
                    model,
                    tokenizer,
                    new AdapterTrainable(adapted),
                    prompts,
                    List.of(),
                    List.of(new Reward(REWARD, answers -> score(model, adapted, answers))),
                    PpoConfig.builder()
                            .optGeneration(
                                    GenerationConfig.builder()
                                            .optMaxNewTokens(answer)
                                            .optTemperature(0.7)
                                            .optEosIds(List.of((long) NO_TOKEN))
                                            .build())
                            .optEpochs(2)
                            // which makes the reference a copy, an adapter too
                            .optSync(ReferenceSync.DEFAULT)
                            .build(),
                    config(),
                    output);
        }

        /** A reward model on the same base: the score of the last token. */
        private double[] score(CausalLm model, AdaptedModel adapted, List<Completion> answers) {
            List<Example> examples = answers.stream().map(Completion::example).toList();
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch = Batch.of(scope, examples);
                    AdapterScope role = Role.adapter(adapted, REWARD).enter()) {
                long[] last = new long[(int) batch.ids().size()];
                int length = last.length / examples.size();
                for (int i = 0; i < examples.size(); i++) {
                    last[i * length + examples.get(i).length() - 1] = 1;
                }
                HeadScores scores =
                        model.headScores(
                                batch.ids(), Tensors.of(scope, last, batch.ids().getShape()));
                double[] rewards = new double[examples.size()];
                Arrays.setAll(rewards, scores::score);
                return rewards;
            }
        }
    }
}
