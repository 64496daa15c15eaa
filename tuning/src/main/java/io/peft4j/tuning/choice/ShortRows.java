package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.RowFields;
import java.util.List;

/** The data sets whose rows hold the texts of a question as they are asked. */
final class ShortRows {

    private static final List<String> NO_YES = List.of("no", "yes");

    private ShortRows() {}

    /** {@code {"passage": …, "question": …, "label": 0 or 1}}, as SuperGLUE has it. */
    static Question boolQ(RowFields row) throws DatasetException {
        String context = row.text("passage") + "\nQuestion: " + row.text("question") + "?\nAnswer:";
        return Question.of(context, NO_YES, row.wholeNumber("label", 0, 1));
    }

    /** {@code {"goal": …, "sol1": …, "sol2": …, "label": 0 or 1}}. */
    static Question piqa(RowFields row) throws DatasetException {
        return Question.of(
                "Question: " + row.text("goal") + "\nAnswer:",
                List.of(row.text("sol1"), row.text("sol2")),
                row.wholeNumber("label", 0, 1));
    }

    /** {@code {"context": …, "question": …, "answerA": …, …, "label": "1" to "3"}}. */
    static Question socialIqa(RowFields row) throws DatasetException {
        return Question.of(
                "Q: " + row.text("context") + " " + row.text("question") + "\nA:",
                List.of(row.text("answerA"), row.text("answerB"), row.text("answerC")),
                row.wholeNumber("label", 1, 3) - 1);
    }

    /** {@code {"question": …, "choices": {"text": […], "label": […]}, "answerKey": …}}. */
    static Question arc(RowFields row) throws DatasetException {
        return labelled(row, "Question: " + row.text("question") + "\nAnswer:");
    }

    /** {@code {"question_stem": …, "choices": {"text": […], "label": […]}, "answerKey": …}}. */
    static Question openBookQa(RowFields row) throws DatasetException {
        return labelled(row, row.text("question_stem"));
    }

    private static Question labelled(RowFields row, String context) throws DatasetException {
        RowFields choices = row.object("choices");
        List<String> texts = choices.texts("text");
        List<String> labels = choices.texts("label");
        String key = row.text("answerKey").stripLeading();
        int answer = labels.indexOf(key);
        if (texts.size() < 2 || texts.size() != labels.size() || answer < 0) {
            throw row.refused(
                    "expected two choices at least, a label for each and the answerKey among them,"
                            + " found "
                            + texts.size()
                            + " choices, the labels "
                            + labels
                            + " and the answerKey \""
                            + key
                            + "\"");
        }
        return Question.of(context, texts, answer);
    }
}
