package io.peft4j.tuning.preference;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.text.StrictJson;
import io.peft4j.tuning.AdapterFingerprint;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Interruptions;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.rejection.AnswerSampling;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Direct preference optimisation on the policy's own answers: each iteration samples several
 * answers to each prompt, takes the best and the worst by their rewards for a pair, and learns from
 * the pairs (as Xu et al., arXiv:2312.16682, and Yuan et al., arXiv:2401.10020). The reference of
 * an iteration is what the policy was at its beginning, unless the first is kept.
 *
 * <p>{@code OUTPUT/iteration-N} holds {@code answers.jsonl}, what was sampled, {@code pairs.jsonl},
 * {@code iteration.json}, the figures, written when the iteration is done, and the files of {@link
 * DpoTrainer}: the adapter, {@code metrics.jsonl} and checkpoints. The last adapter stands in
 * {@code OUTPUT} itself. A run that is resumed goes on in the iteration at hand, in its sampling or
 * from its newest checkpoint, and gives what one that was never interrupted gives.
 */
public final class IterativeDpo {

    private static final String FIGURES = "iteration.json";
    private static final String SETTINGS = "settings";
    private static final Gson PRETTY =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final AdapterTrainable policy;
    private final List<Prompt> prompts;
    private final List<Reward> rewards;
    private final IterativeDpoConfig config;
    private final DpoConfig dpo;

    /**
     * Prepares a training.
     *
     * @param model the model, whose forward has the policy in it
     * @param tokenizer its tokenizer
     * @param policy the adapter to train
     * @param prompts what is asked in each iteration, one at least
     * @param rewards what answers are judged by, one at least
     * @param config what is sampled, and how often
     * @param dpo the loss and the reference
     * @throws IllegalArgumentException if the first reference is to be kept and to follow the
     *     policy
     */
    public IterativeDpo(
            CausalLm model,
            Tokenizer tokenizer,
            AdapterTrainable policy,
            List<Prompt> prompts,
            List<Reward> rewards,
            IterativeDpoConfig config,
            DpoConfig dpo) {
        if (config.keepFirstReference() && dpo.sync().isPresent()) {
            throw new IllegalArgumentException(
                    "a reference that follows the policy is not kept: choose one of both");
        }
        this.model = model;
        this.tokenizer = tokenizer;
        this.policy = policy;
        this.prompts = List.copyOf(prompts);
        this.rewards = List.copyOf(rewards);
        this.config = config;
        this.dpo = dpo;
    }

    /**
     * Trains, or goes on with a training, until all iterations are done.
     *
     * @param training how to train in each iteration; the seed decides what is sampled, too. A
     *     schedule begins anew with each iteration
     * @param output the directory to write to; made if it does not exist
     * @param observer hears of the progress
     * @return what each iteration has shown
     * @throws io.peft4j.tuning.online.rejection.SamplingInterruptedException if the thread is
     *     interrupted while it samples
     * @throws ResumeMismatchException if settings, prompts or model are not those of the run to
     *     resume
     * @throws IOException and others, as {@link DpoTrainer#train}
     */
    public List<IterationFigures> train(
            TrainingConfig training, Path output, IterationObserver observer) throws IOException {
        boolean resume = training.resume();
        List<IterationFigures> all = new ArrayList<>();
        Files.createDirectories(output);
        try (FirstReference first = FirstReference.of(policy, config.keepFirstReference())) {
            for (int i = 1; i <= config.iterations(); i++) {
                Iteration iteration =
                        new Iteration(
                                i, output.resolve("iteration-" + i), training, first.reference());
                IterationFigures figures = iteration.run(resume, observer);
                observer.onIteration(figures);
                all.add(figures);
            }
        }
        Interruptions.hold(() -> policy.export(output));
        return all;
    }

    /** The reference that all iterations share, if they do. */
    private record FirstReference(@Nullable Reference reference) implements AutoCloseable {

        static FirstReference of(AdapterTrainable policy, boolean kept) {
            return new FirstReference(kept ? Reference.of(policy.model(), Optional.empty()) : null);
        }

        @Override
        public void close() {
            if (reference != null) {
                reference.close();
            }
        }
    }

    /** One round of sampling and training, from what the policy is when it is made. */
    private final class Iteration {

        private final int number;
        private final Path directory;
        private final TrainingConfig training;
        private final @Nullable Reference reference;
        private final AnswerSampling sampling;
        private final Map<String, String> settings;

        Iteration(
                int number,
                Path directory,
                TrainingConfig training,
                @Nullable Reference reference) {
            this.number = number;
            this.directory = directory;
            this.training = training;
            this.reference = reference;
            sampling =
                    new AnswerSampling(
                            new CompletionSampler(
                                    model,
                                    tokenizer,
                                    config.generation(),
                                    config.generationBatchSize()),
                            rewards,
                            config.numGenerations(),
                            // such that iterations have unlike random numbers
                            new SplittableRandom(training.seed() + number).nextLong());
            settings = new LinkedHashMap<>(policy.settings());
            settings.put("policy_sha256", AdapterFingerprint.of(policy.model().adapter()));
            settings.putAll(sampling.settings(prompts));
            settings.putAll(config.settings());
            settings.putAll(dpo.settings());
            training.fingerprint(training.maxSteps().orElse(0))
                    .forEach((name, value) -> settings.put("training." + name, value));
            settings.put("training.epochs", String.valueOf(training.epochs()));
            settings.put("training.max_steps", String.valueOf(training.maxSteps().orElse(0)));
        }

        IterationFigures run(boolean resume, IterationObserver observer) throws IOException {
            Path file = directory.resolve(FIGURES);
            if (Files.exists(file)) {
                if (!resume) {
                    throw new FileAlreadyExistsException(
                            file.toString(), null, "expected no iterations; resume them");
                }
                IterationFigures done = read(file);
                policy.load(directory);
                return done;
            }
            Files.createDirectories(directory);
            Path answers = directory.resolve("answers.jsonl");
            sampling.run(
                    prompts,
                    answers,
                    settings,
                    resume,
                    (done, total) -> observer.onSampling(number, done, total));
            Path data = directory.resolve("pairs.jsonl");
            SampledPairs pairs = SampledPairs.write(prompts, answers, data);
            int steps = learn(data, observer.onTraining(number, pairs.count()), pairs.count());
            IterationFigures figures = pairs.figures(number, steps);
            write(file, figures);
            return figures;
        }

        /** Trains on the pairs, and returns the optimizer steps. */
        private int learn(Path data, List<TrainingObserver> observers, int pairs)
                throws IOException {
            if (pairs == 0) {
                Interruptions.hold(() -> policy.export(directory));
                return 0;
            }
            List<PreferencePair> read =
                    PreferenceDataset.read(
                                    data,
                                    tokenizer,
                                    config.options(
                                            model.config().vocabularySize(),
                                            model.config().contextLength()))
                            .pairs();
            TrainingConfig fixed =
                    training.toBuilder()
                            .optResume(Files.exists(directory.resolve("checkpoints")))
                            .build();
            TrainingObserver[] all = observers.toArray(new TrainingObserver[0]);
            LanguageModel language = LanguageModel.of(model);
            return (reference == null
                            ? DpoTrainer.train(
                                    language, policy, read, List.of(), dpo, fixed, directory, all)
                            : DpoTrainer.train(
                                    language, policy, reference, read, List.of(), dpo, fixed,
                                    directory, all))
                    .steps();
        }

        private IterationFigures read(Path file) throws IOException {
            try {
                JsonObject json = StrictJson.read(file, 1 << 20, 8).getAsJsonObject();
                Map<String, String> saved = new LinkedHashMap<>();
                json.getAsJsonObject(SETTINGS)
                        .asMap()
                        .forEach((name, value) -> saved.put(name, value.getAsString()));
                ResumeMismatchException.requireSame(file, saved, settings);
                return IterationFigures.of(json);
            } catch (IllegalStateException
                    | UnsupportedOperationException
                    | NullPointerException
                    | ClassCastException
                    | NumberFormatException e) {
                throw new IOException(file + ": expected an iteration's figures", e);
            }
        }

        private void write(Path file, IterationFigures figures) throws IOException {
            JsonObject values = new JsonObject();
            settings.forEach(values::addProperty);
            JsonObject json = figures.json();
            json.add(SETTINGS, values);
            Interruptions.hold(() -> AtomicFiles.writeString(file, PRETTY.toJson(json) + "\n"));
        }
    }
}
