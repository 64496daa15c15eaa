package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.InstructionPrompt;
import io.peft4j.tuning.RowFields;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code {"instruction": "… Answer format: answer1/answer2", "output": …, "answer": "answer2"}}:
 * the rows of CommonSense-170k, whose instruction names the choices at its end. Scored as the
 * OpenELM paper does (arXiv:2404.14619, CoreNet's evaluation): the whole answering sentence after
 * the prompt, which leaves an input out, as there is none in that data.
 */
final class CommonSense {

    private static final Pattern FORMAT = Pattern.compile("Answer format: *([^\\n]+)$");
    private static final Pattern SLASH = Pattern.compile("/");

    private CommonSense() {}

    static Question read(RowFields row) throws DatasetException {
        String instruction = row.text("instruction");
        Matcher format = FORMAT.matcher(instruction);
        if (!format.find()) {
            throw row.refused(
                    "expected an instruction that ends with \"Answer format: …/…\", found none");
        }
        List<String> names = SLASH.splitAsStream(format.group(1)).map(String::strip).toList();
        int answer = names.indexOf(row.text("answer"));
        if (names.size() < 2 || names.contains("") || answer < 0) {
            throw row.refused(
                    "expected an answer among those of the answer format, found \""
                            + row.text("answer")
                            + "\" and "
                            + names);
        }
        String context = InstructionPrompt.of(instruction, "");
        return new Question(
                names.stream().map(name -> choice(context, name)).toList(),
                answer,
                Optional.empty());
    }

    private static Choice choice(String context, String name) {
        String sentence = "the correct answer is " + name;
        return new Choice(context, sentence, PythonText.length(sentence));
    }
}
