package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.RowFields;
import java.util.List;
import java.util.Optional;

/**
 * {@code {"sentence": "… _ …", "option1": …, "option2": …, "answer": "1" or "2"}}: each option is
 * put into the blank, and what is scored is the rest of the sentence, which is the same for both.
 */
final class WinoGrande {

    private WinoGrande() {}

    static Question read(RowFields row) throws DatasetException {
        String sentence = row.text("sentence");
        int blank = sentence.indexOf('_');
        if (blank < 0) {
            throw row.refused("expected a blank \"_\" in the sentence, found none");
        }
        String before = sentence.substring(0, blank);
        String rest = " " + PythonText.strip(sentence.substring(blank + 1));
        return new Question(
                List.of(
                        choice(before + row.text("option1"), rest),
                        choice(before + row.text("option2"), rest)),
                row.wholeNumber("answer", 1, 2) - 1,
                Optional.empty());
    }

    // the harness takes the filled part for the choice, and its length for the choice's
    private static Choice choice(String filled, String rest) {
        return new Choice(filled, rest, Math.max(1, PythonText.length(filled)));
    }
}
