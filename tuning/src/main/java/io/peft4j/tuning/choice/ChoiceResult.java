package io.peft4j.tuning.choice;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The answers to a file of questions.
 *
 * @param answers in file order, one at least
 */
public record ChoiceResult(List<AnsweredQuestion> answers) {

    /** Copies the answers. */
    public ChoiceResult {
        answers = List.copyOf(answers);
    }

    /**
     * Returns the accuracy of the likeliest choices ({@code acc}).
     *
     * @return the accuracy, pooled over subjects where there are any
     */
    public Accuracy accuracy() {
        return over(AnsweredQuestion::chosen);
    }

    /**
     * Returns the accuracy of the choices that are likeliest per character ({@code acc_norm}).
     *
     * @return the accuracy, pooled over subjects where there are any
     */
    public Accuracy accuracyByLength() {
        return over(AnsweredQuestion::chosenByLength);
    }

    private Accuracy over(Function<AnsweredQuestion, Integer> chosen) {
        Map<String, ChoiceResult> subjects = bySubject();
        return subjects.isEmpty()
                ? counted(chosen)
                : Accuracy.pooled(
                        subjects.values().stream().map(part -> part.counted(chosen)).toList());
    }

    private Accuracy counted(Function<AnsweredQuestion, Integer> chosen) {
        int right =
                (int)
                        answers.stream()
                                .filter(a -> chosen.apply(a) == a.question().answer())
                                .count();
        return Accuracy.of(right, answers.size());
    }

    /**
     * Tells the subjects apart.
     *
     * @return the answers of each subject, by its name in order; empty if no question has one
     */
    public Map<String, ChoiceResult> bySubject() {
        return Collections.unmodifiableMap(
                answers.stream()
                        .filter(answer -> answer.question().subject().isPresent())
                        .collect(
                                Collectors.groupingBy(
                                        answer -> answer.question().subject().orElseThrow(),
                                        TreeMap::new,
                                        Collectors.collectingAndThen(
                                                Collectors.toList(), ChoiceResult::new))));
    }
}
