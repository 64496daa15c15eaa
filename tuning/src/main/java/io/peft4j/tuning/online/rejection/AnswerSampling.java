package io.peft4j.tuning.online.rejection;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.JsonLines;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Samples several answers to each prompt and has them judged, into a file that an interrupted or
 * killed run goes on with. It computes with the adapters that are in effect on the calling thread.
 *
 * <p>Prompts are taken a few at a time, as many as fill a batch. After an interruption the prompts
 * of the last unfinished batch are asked again, so that batches, and with them the rounding, are
 * the same as without one; the random numbers of an answer depend on the seed and its place alone.
 */
public final class AnswerSampling {

    private final CompletionSampler sampler;
    private final List<Reward> rewards;
    private final int numGenerations;
    private final long seed;

    /**
     * Makes a sampling.
     *
     * @param sampler asks the model
     * @param rewards the judges, one at least
     * @param numGenerations how many answers each prompt gets
     * @param seed decides the random numbers
     */
    public AnswerSampling(
            CompletionSampler sampler, List<Reward> rewards, int numGenerations, long seed) {
        Preconditions.checkArgument(
                numGenerations > 0,
                "expected one answer to each prompt at least, found " + numGenerations);
        Reward.requireDistinct(rewards);
        this.sampler = sampler;
        this.rewards = List.copyOf(rewards);
        this.numGenerations = numGenerations;
        this.seed = seed;
    }

    /** Returns the judges. */
    List<Reward> rewards() {
        return rewards;
    }

    /**
     * Returns what decides the answers and their rewards beside the model.
     *
     * @param prompts what is asked
     * @return setting by name
     */
    public Map<String, String> settings(List<Prompt> prompts) {
        Map<String, String> settings = new LinkedHashMap<>(sampler.settings());
        settings.put("num_generations", String.valueOf(numGenerations));
        settings.put("seed", String.valueOf(seed));
        settings.put("prompts_sha256", Prompt.fingerprint(prompts));
        for (Reward reward : rewards) {
            String text = reward.weight() + " " + reward.function().settings();
            settings.put("reward." + reward.name(), text.strip());
        }
        return settings;
    }

    /**
     * Samples, or goes on with a sampling, until all prompts are answered.
     *
     * @param prompts what is asked
     * @param file where the answers are kept; its directory must exist
     * @param settings what must be the same in a run that goes on: {@link #settings}, and what
     *     identifies the model
     * @param resume whether to go on with what the file holds, if there is one
     * @param observer hears of the progress
     * @throws SamplingInterruptedException if the thread is interrupted
     * @throws io.peft4j.tuning.ResumeMismatchException if the file is of other settings
     * @throws IOException if the file cannot be read or written, or is there and not to be resumed
     */
    public void run(
            List<Prompt> prompts,
            Path file,
            Map<String, String> settings,
            boolean resume,
            SamplingObserver observer)
            throws IOException {
        if (!resume && Files.exists(file)) {
            throw new FileAlreadyExistsException(
                    file.toString(), null, "expected no unfinished sampling; resume or delete it");
        }
        sampler.requireRoom(prompts);
        Reward.requireJudgeable(rewards, prompts);
        int group = Math.max(1, sampler.batchSize() / numGenerations);
        try (AnswerJournal journal =
                Files.exists(file)
                        ? AnswerJournal.resume(file, settings, group, prompts.size())
                        : AnswerJournal.begin(file, settings)) {
            observer.onProgress(journal.prompts(), prompts.size());
            while (journal.prompts() < prompts.size()) {
                int first = journal.prompts();
                List<Prompt> some = prompts.subList(first, Math.min(first + group, prompts.size()));
                journal.add(answers(some, first, prompts.size()));
                observer.onProgress(journal.prompts(), prompts.size());
            }
        }
        endIfInterrupted(prompts.size(), prompts.size()); // or files that come next were closed
    }

    private static void endIfInterrupted(int done, int total) {
        if (Thread.currentThread().isInterrupted()) {
            throw new SamplingInterruptedException(done, total);
        }
    }

    private List<List<SampledAnswer>> answers(List<Prompt> prompts, int first, int total) {
        List<Completion> completions =
                sampler.sample(
                        prompts,
                        numGenerations,
                        seed + (long) first * numGenerations,
                        () -> endIfInterrupted(first, total));
        List<double[]> judged = rewards.stream().map(reward -> reward.of(completions)).toList();
        List<List<SampledAnswer>> answers = new ArrayList<>();
        for (int from = 0; from < completions.size(); from += numGenerations) {
            List<SampledAnswer> some = new ArrayList<>();
            for (int i = from; i < from + numGenerations; i++) {
                some.add(answer(completions.get(i), judged, i));
            }
            answers.add(some);
        }
        return answers;
    }

    private SampledAnswer answer(Completion completion, List<double[]> judged, int index) {
        List<Double> each = judged.stream().map(values -> values[index]).toList();
        double sum = 0;
        for (int i = 0; i < each.size(); i++) {
            sum += rewards.get(i).weight() * each.get(i);
        }
        List<Long> ids = new ArrayList<>();
        for (long id : completion.ids()) {
            ids.add(id);
        }
        return new SampledAnswer(completion.text(), ids, completion.ended(), each, sum);
    }

    /** Takes the answers to a prompt. */
    public interface AnswerConsumer {
        /**
         * Takes them.
         *
         * @param prompt which prompt it is, from 0
         * @param answers the answers, in the order of their sampling
         * @throws IOException if they cannot be used
         */
        void accept(int prompt, List<SampledAnswer> answers) throws IOException;
    }

    /**
     * Reads what a finished sampling has kept.
     *
     * @param file the answers
     * @param consumer takes those to each prompt, in the prompts' order
     * @throws IOException if it cannot be read, or from the consumer
     */
    public static void read(Path file, AnswerConsumer consumer) throws IOException {
        int[] prompt = {-1}; // the first line has the settings
        JsonLines.read(
                file,
                (where, line) -> {
                    if (prompt[0] >= 0) {
                        consumer.accept(prompt[0], AnswerJournal.answers(line));
                    }
                    prompt[0]++;
                });
    }
}
