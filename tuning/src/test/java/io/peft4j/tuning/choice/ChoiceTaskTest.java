package io.peft4j.tuning.choice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.tuning.DatasetException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChoiceTaskTest {

    @TempDir private Path directory;

    private Path file(String text) throws IOException {
        return Files.writeString(directory.resolve("rows.jsonl"), text);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    boolq      | {"question":"a","passage":"b","label":-1}    | expected "label" to be a whole number from 0 to 1, found -1
                    boolq      | {"question":"a","label":1}                   | expected "passage" to be a string, found nothing
                    piqa       | {"goal":"a","sol1":"b","sol2":"c","label":""}| expected "label" to be a whole number from 0 to 1, found ""
                    piqa       | {"goal":"a","sol1":"","sol2":"c","label":0}  | expected a choice of one character at least
                    social_iqa | {"context":"a","question":"b","answerA":"c","answerB":"d","answerC":"e","label":"0"} | from 1 to 3, found "0"
                    hellaswag  | {"activity_label":"a","ctx_a":"b","ctx_b":"c","endings":["d"],"label":"0"} | expected two endings at least, found 1
                    hellaswag  | {"activity_label":"a","ctx_a":"b","ctx_b":"c","endings":["d",2],"label":"0"} | expected "endings" to be a list of strings, found 2
                    winogrande | {"sentence":"a","option1":"b","option2":"c","answer":"1"} | expected a blank "_" in the sentence
                    winogrande | {"sentence":"a _","option1":"b","option2":"c","answer":""} | expected "answer" to be a whole number from 1 to 2
                    arc_easy   | {"question":"a","choices":{"text":["b","c"],"label":["A","B"]},"answerKey":"C"} | the labels [A, B] and the answerKey "C"
                    openbookqa | {"question_stem":"a","choices":["b"],"answerKey":"C"} | expected "choices" to be an object, found ["b"]
                    mmlu       | {"question":"a","subject":"s","choices":["b","c"],"answer":0} | expected four choices, found 2
                    commonsense| {"instruction":"a","output":"b","answer":"c"} | ends with "Answer format: …/…"
                    commonsense| {"instruction":"Answer format: true/false","output":"b","answer":"yes"} | found "yes" and [true, false]
                    """)
    void aRowThatCannotBeUsedIsRefusedWithFileAndLine(String task, String row, String message)
            throws IOException {
        Path file = file("\n" + row + "\n");
        assertThatThrownBy(() -> ChoiceDataset.read(file, ChoiceTask.of(task)))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("rows.jsonl:2: ")
                .hasMessageContaining(message);
    }

    @Test
    void aFileWithoutQuestionsIsRefused() throws IOException {
        Path file = file("\n");
        assertThatThrownBy(() -> ChoiceDataset.read(file, ChoiceTask.PIQA))
                .isInstanceOf(DatasetException.class)
                .hasMessageEndingWith("rows.jsonl: expected one question at least, found none");
    }

    @Test
    void anUnknownTaskIsRefusedWithTheKnownOnes() {
        assertThatThrownBy(() -> ChoiceTask.of("glue"))
                .hasMessage(
                        "expected a task of boolq, piqa, social_iqa, hellaswag, winogrande,"
                                + " arc_easy, arc_challenge, openbookqa, mmlu, commonsense, found"
                                + " \"glue\"");
    }

    @Test
    void textsAreStrippedAndCapitalisedAsInPython() {
        assertThat(PythonText.strip("\u00a0\u2007\u001c a\u0085")).isEqualTo("a");
        assertThat(PythonText.capitalize("éRIC Σ")).isEqualTo("Éric σ");
        assertThat(PythonText.capitalize("ßO")).isEqualTo("Sso");
        assertThat(PythonText.capitalize("ǆ")).isEqualTo("ǅ");
        assertThat(PythonText.capitalize("")).isEmpty();
        assertThat(PythonText.length("a🏖")).isEqualTo(2);
    }
}
