package io.peft4j.tuning.reward;

import ai.djl.ndarray.NDManager;
import ai.djl.util.Preconditions;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.models.CausalLm;
import io.peft4j.models.HeadScores;
import io.peft4j.tuning.AdapterFingerprint;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.RewardFunction;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A reward model as a judge of answers: an adapter on the base that others are on too, with a score
 * head of its own. The reward of a text is the score of its last token.
 *
 * <p>What is active stays so: the adapter is in effect while it is asked, on the calling thread
 * alone.
 */
public final class RewardModel implements RewardFunction {

    private final LanguageModel model;
    private final Role role;
    private final int batchSize;

    /**
     * Makes a judge.
     *
     * @param model the base with a score head
     * @param role the reward model
     * @param batchSize how many texts go through the model together
     */
    public RewardModel(LanguageModel model, Role role, int batchSize) {
        Preconditions.checkArgument(
                batchSize > 0, "expected a batch of one text at least, found " + batchSize);
        this.model = model;
        this.role = role;
        this.batchSize = batchSize;
    }

    /**
     * Adds a saved reward model to a base with adapters, and gives the base a score head if it has
     * none. No adapter becomes active by it.
     *
     * @param model the base
     * @param adapted the same with its adapters
     * @param name a new name for the adapter, such as {@code reward}
     * @param directory what {@link RewardTrainer} wrote, or PEFT for a sequence classification
     *     model of one label
     * @param batchSize how many texts go through the model together
     * @return the judge; its adapter lives as long as the adapted model, or until it is deleted
     * @throws AdapterConfigException if the adapter has no score head of its own, or as {@link
     *     AdaptedModel#load}
     * @throws IOException and others, as {@link AdaptedModel#load}
     */
    public static RewardModel open(
            CausalLm model, AdaptedModel adapted, String name, Path directory, int batchSize)
            throws IOException {
        model.addScoreHead(0); // of which the adapter has a copy
        boolean first = adapted.names().isEmpty();
        if (!RewardHead.isOf(adapted.load(name, directory))) {
            adapted.delete(name);
            throw new AdapterConfigException(
                    directory
                            + ": expected a reward model, with \"score\" among its modules_to_save,"
                            + " found an adapter without");
        }
        if (first) { // the first is activated by itself
            adapted.activate();
        }
        return new RewardModel(LanguageModel.of(model), Role.adapter(adapted, name), batchSize);
    }

    /** Tells the hashes of its adapters. */
    @Override
    public String settings() {
        return role.adapters().stream()
                .map(name -> AdapterFingerprint.of(role.model().adapter(name)))
                .collect(Collectors.joining(" "));
    }

    @Override
    public double[] rewards(List<Completion> completions) {
        return scores(completions.stream().map(Completion::example).toList());
    }

    /**
     * Judges texts.
     *
     * @param texts the texts, whose labels do not matter
     * @return the score of the last token of each
     */
    public double[] scores(List<Example> texts) {
        int[] order =
                IntStream.range(0, texts.size())
                        .boxed()
                        .sorted(Comparator.comparingInt(i -> -texts.get(i).length()))
                        .mapToInt(i -> i)
                        .toArray();
        double[] scores = new double[order.length];
        try (AdapterScope scope = role.enter()) {
            for (int from = 0; from < order.length; from += batchSize) {
                int to = Math.min(from + batchSize, order.length);
                HeadScores some =
                        scoresOf(
                                IntStream.range(from, to)
                                        .mapToObj(i -> texts.get(order[i]))
                                        .toList());
                for (int i = from; i < to; i++) {
                    scores[order[i]] = some.score(i - from);
                }
            }
        }
        return scores;
    }

    private HeadScores scoresOf(List<Example> texts) {
        try (NDManager step = model.manager().newSubManager();
                Batch batch = Batch.of(step, texts)) {
            return model.headScores(batch.ids(), LastTokens.of(step, batch.mask()));
        }
    }
}
