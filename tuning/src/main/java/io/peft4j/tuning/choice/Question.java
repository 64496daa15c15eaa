package io.peft4j.tuning.choice;

import ai.djl.util.Preconditions;
import java.util.List;
import java.util.Optional;

/**
 * A question with its choices.
 *
 * @param choices two at least
 * @param answer which of them is right, from 0
 * @param subject what the question is about, where a data set tells it
 */
public record Question(List<Choice> choices, int answer, Optional<String> subject) {

    /** Copies the choices and checks the answer. */
    public Question {
        choices = List.copyOf(choices);
        Preconditions.checkArgument(
                choices.size() > 1 && answer >= 0 && answer < choices.size(),
                "expected two choices at least and an answer among them, found "
                        + choices.size()
                        + " and answer "
                        + answer);
    }

    /** Makes a question whose choices follow one context after a space. */
    static Question of(String context, List<String> texts, int answer) {
        return new Question(
                texts.stream().map(text -> Choice.after(context, text)).toList(),
                answer,
                Optional.empty());
    }
}
