package io.peft4j.tuning.choice;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.Preconditions;
import io.peft4j.models.TokenScores;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.LanguageModel;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Answers multiple-choice questions with a model, with the adapter if one is on, without dropout.
 *
 * <p>Choices that the model reads the same tokens for, such as the letters of MMLU, are computed
 * once. Batches are made of rows of like length, out of some hundred questions at a time, so that
 * memory does not grow with their number.
 */
public final class ChoiceEvaluation {

    private static final int QUESTIONS_AT_ONCE = 256;

    private final LanguageModel model;
    private final ChoiceEncoder encoder;
    private final int batchSize;

    private ChoiceEvaluation(LanguageModel model, ChoiceEncoder encoder, int batchSize) {
        this.model = model;
        this.encoder = encoder;
        this.batchSize = batchSize;
    }

    /**
     * Answers questions.
     *
     * @param model the model; must have {@link LanguageModel#nextTokenScores}
     * @param encoder the encoder of its tokenizer
     * @param questions the questions, one at least
     * @param batchSize how many rows go through the model together
     * @return the answers, in the order of the questions
     * @throws IllegalArgumentException if a question has no tokens to score, or more than the model
     *     reads; the message tells its number, from 1
     */
    public static ChoiceResult evaluate(
            LanguageModel model, ChoiceEncoder encoder, List<Question> questions, int batchSize) {
        Preconditions.checkArgument(batchSize > 0, "batch size must be positive: " + batchSize);
        Preconditions.checkArgument(!questions.isEmpty(), "expected a question, found none");
        ChoiceEvaluation evaluation = new ChoiceEvaluation(model, encoder, batchSize);
        List<AnsweredQuestion> answers = new ArrayList<>();
        for (int from = 0; from < questions.size(); from += QUESTIONS_AT_ONCE) {
            int to = Math.min(questions.size(), from + QUESTIONS_AT_ONCE);
            evaluation.answer(questions, from, to, answers);
        }
        return new ChoiceResult(answers);
    }

    private void answer(
            List<Question> questions, int from, int to, List<AnsweredQuestion> answers) {
        Map<LongBuffer, Row> rows = new LinkedHashMap<>();
        List<double[]> sums = new ArrayList<>();
        for (int i = from; i < to; i++) {
            List<Choice> choices = questions.get(i).choices();
            double[] sum = new double[choices.size()];
            for (int k = 0; k < sum.length; k++) {
                ScoredSequence sequence = encode(choices.get(k), i);
                rows.computeIfAbsent(LongBuffer.wrap(sequence.inputs()), Row::new)
                        .wanted
                        .add(new Wanted(sequence, sum, k));
            }
            sums.add(sum);
        }
        List<Row> ordered = new ArrayList<>(rows.values());
        ordered.sort(Comparator.comparingInt(row -> -row.ids.length));
        for (int start = 0; start < ordered.size(); start += batchSize) {
            score(ordered.subList(start, Math.min(start + batchSize, ordered.size())));
        }
        for (int i = from; i < to; i++) {
            List<Double> scores = Arrays.stream(sums.get(i - from)).boxed().toList();
            answers.add(new AnsweredQuestion(questions.get(i), scores));
        }
    }

    private ScoredSequence encode(Choice choice, int question) {
        try {
            return encoder.encode(choice);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "question " + (question + 1) + ": " + e.getMessage(), e);
        }
    }

    /** Adds what a batch of rows says to the sums of the choices that want to know it. */
    private void score(List<Row> rows) {
        int length = rows.get(0).ids.length;
        long[] ids = new long[rows.size() * length];
        List<Long> places = new ArrayList<>();
        List<Long> tokens = new ArrayList<>();
        List<Wanted> owners = new ArrayList<>();
        for (int row = 0; row < rows.size(); row++) {
            long[] own = rows.get(row).ids;
            System.arraycopy(own, 0, ids, row * length, own.length);
            for (Wanted wanted : rows.get(row).wanted) {
                ScoredSequence sequence = wanted.sequence;
                for (int token = 0; token < sequence.scored(); token++) {
                    places.add((long) row * length + sequence.before(token) - 1);
                    tokens.add(sequence.id(token));
                }
                owners.addAll(Collections.nCopies(sequence.scored(), wanted));
            }
        }
        try (NDManager scope = model.manager().newSubManager()) {
            NDArray batch = Tensors.of(scope, ids, new Shape(rows.size(), length));
            TokenScores scores = model.nextTokenScores(batch, longs(places), longs(tokens));
            for (int i = 0; i < owners.size(); i++) {
                owners.get(i).add(scores.logProbability(i));
            }
        }
    }

    private static long[] longs(List<Long> values) {
        return values.stream().mapToLong(Long::longValue).toArray();
    }

    /** What the model reads at once, and who wants to know what comes of it. */
    private static final class Row {
        private final long[] ids;
        private final List<Wanted> wanted = new ArrayList<>();

        Row(LongBuffer inputs) {
            ids = inputs.array();
        }
    }

    /** A choice whose score is being summed up. */
    private static final class Wanted {
        private final ScoredSequence sequence;
        private final double[] sums;
        private final int choice;

        Wanted(ScoredSequence sequence, double[] sums, int choice) {
            this.sequence = sequence;
            this.sums = sums;
            this.choice = choice;
        }

        void add(double logProbability) {
            sums[choice] += logProbability;
        }
    }
}
