package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.RowFields;
import java.util.List;
import java.util.Optional;

/**
 * {@code {"question": …, "subject": …, "choices": [four], "answer": 0 to 3}}: the choices stand in
 * the context, and their letters are scored.
 */
final class Mmlu {

    private static final List<String> LETTERS = List.of("A", "B", "C", "D");

    private Mmlu() {}

    static Question read(RowFields row) throws DatasetException {
        String subject = row.text("subject");
        List<String> choices = row.texts("choices");
        if (choices.size() != LETTERS.size()) {
            throw row.refused("expected four choices, found " + choices.size());
        }
        StringBuilder context = new StringBuilder();
        context.append("The following are multiple choice questions (with answers) about ");
        context.append(subject.replace('_', ' ')).append(".\n\n");
        context.append(PythonText.strip(row.text("question")));
        for (int i = 0; i < LETTERS.size(); i++) {
            context.append('\n').append(LETTERS.get(i)).append(". ").append(choices.get(i));
        }
        context.append("\nAnswer:");
        Question question =
                Question.of(context.toString(), LETTERS, row.wholeNumber("answer", 0, 3));
        return new Question(question.choices(), question.answer(), Optional.of(subject));
    }
}
