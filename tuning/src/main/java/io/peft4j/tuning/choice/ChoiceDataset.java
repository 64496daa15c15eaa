package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.JsonLines;
import io.peft4j.tuning.RowFields;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The questions of a JSON Lines file. */
public final class ChoiceDataset {

    private ChoiceDataset() {}

    /**
     * Reads a file. Blank lines are skipped.
     *
     * @param file the JSON Lines, UTF-8
     * @param task whose rows they are
     * @return the questions, in file order
     * @throws DatasetException if a row cannot be used, the message names file and line; or if
     *     there is none
     * @throws IOException if the file cannot be read
     */
    public static List<Question> read(Path file, ChoiceTask task) throws IOException {
        List<Question> questions = new ArrayList<>();
        JsonLines.read(file, (where, row) -> questions.add(task.read(new RowFields(where, row))));
        if (questions.isEmpty()) {
            throw new DatasetException(file + ": expected one question at least, found none");
        }
        return questions;
    }
}
