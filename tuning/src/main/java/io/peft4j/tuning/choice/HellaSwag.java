package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.RowFields;
import java.util.List;
import java.util.regex.Pattern;

/**
 * {@code {"activity_label": …, "ctx_a": …, "ctx_b": …, "endings": […], "label": "0" to "3"}}: which
 * sentence goes on. Marks that WikiHow's articles left in brackets are taken out.
 */
final class HellaSwag {

    private static final Pattern BRACKETS = Pattern.compile("\\[[^\\n]*?\\]");

    private HellaSwag() {}

    static Question read(RowFields row) throws DatasetException {
        String context = row.text("ctx_a") + " " + PythonText.capitalize(row.text("ctx_b"));
        List<String> endings = row.texts("endings");
        if (endings.size() < 2) {
            throw row.refused("expected two endings at least, found " + endings.size());
        }
        return Question.of(
                clean(row.text("activity_label") + ": " + context),
                endings.stream().map(HellaSwag::clean).toList(),
                row.wholeNumber("label", 0, endings.size() - 1));
    }

    private static String clean(String text) {
        String titled = PythonText.strip(text).replace(" [title]", ". ");
        return BRACKETS.matcher(titled).replaceAll("").replace("  ", " ");
    }
}
