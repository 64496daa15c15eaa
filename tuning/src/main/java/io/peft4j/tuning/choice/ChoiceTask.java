package io.peft4j.tuning.choice;

import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.RowFields;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The benchmarks that can be read, under their names in lm-evaluation-harness 0.4.13, whose
 * contexts and continuations they have, without examples before the question (zero-shot); and
 * {@link #COMMONSENSE}, which is LLM-Adapters' and the OpenELM paper's.
 */
public enum ChoiceTask {
    /** BoolQ, as SuperGLUE has it. */
    BOOLQ,
    /** PIQA. */
    PIQA,
    /** Social IQa. */
    SOCIAL_IQA,
    /** HellaSwag. */
    HELLASWAG,
    /** WinoGrande. */
    WINOGRANDE,
    /** ARC, its easy part. */
    ARC_EASY,
    /** ARC, its hard part, whose rows are the same. */
    ARC_CHALLENGE,
    /** OpenBookQA, without its book. */
    OPENBOOKQA,
    /** MMLU, any of its subjects. */
    MMLU,
    /** The eight tasks of CommonSense-170k, as instructions. */
    COMMONSENSE;

    /**
     * Finds a task.
     *
     * @param name as a user writes it, such as {@code arc_easy}
     * @return the task
     * @throws IllegalArgumentException if there is none of that name
     */
    public static ChoiceTask of(String name) {
        return Arrays.stream(values())
                .filter(task -> task.toString().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected a task of "
                                                + names()
                                                + ", found \""
                                                + name
                                                + "\""));
    }

    private static String names() {
        return Arrays.stream(values()).map(ChoiceTask::toString).collect(Collectors.joining(", "));
    }

    /**
     * Makes a question of a row.
     *
     * @param row the row, as Hugging Face's data set has it
     * @return the question
     * @throws DatasetException if the row is not of this task, or tells no answer
     */
    public Question read(RowFields row) throws DatasetException {
        try {
            return switch (this) {
                case BOOLQ -> ShortRows.boolQ(row);
                case PIQA -> ShortRows.piqa(row);
                case SOCIAL_IQA -> ShortRows.socialIqa(row);
                case HELLASWAG -> HellaSwag.read(row);
                case WINOGRANDE -> WinoGrande.read(row);
                case ARC_EASY, ARC_CHALLENGE -> ShortRows.arc(row);
                case OPENBOOKQA -> ShortRows.openBookQa(row);
                case MMLU -> Mmlu.read(row);
                case COMMONSENSE -> CommonSense.read(row);
            };
        } catch (IllegalArgumentException e) { // an empty choice
            throw row.refused(String.valueOf(e.getMessage()));
        }
    }

    /** Returns the name as a user writes it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
