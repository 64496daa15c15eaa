package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.tuning.choice.Accuracy;
import io.peft4j.tuning.choice.AnsweredQuestion;
import io.peft4j.tuning.choice.ChoiceResult;
import io.peft4j.tuning.choice.ChoiceTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What {@code eval --task} says: accuracies with standard errors, and each subject's.
 *
 * @param task the task
 * @param result the answers
 */
record ChoiceReport(ChoiceTask task, ChoiceResult result) {

    JsonObject json(boolean perExample) {
        JsonObject json = new JsonObject();
        json.addProperty("task", task.toString());
        json.addProperty("num_fewshot", 0);
        addAccuracies(json, result);
        Map<String, ChoiceResult> bySubject = result.bySubject();
        if (!bySubject.isEmpty()) {
            JsonObject subjects = new JsonObject();
            bySubject.forEach(
                    (subject, part) -> {
                        JsonObject own = new JsonObject();
                        addAccuracies(own, part);
                        subjects.add(subject, own);
                    });
            json.add("subjects", subjects);
        }
        if (perExample) {
            JsonArray rows = new JsonArray();
            result.answers().forEach(answer -> rows.add(row(answer)));
            json.add("examples", rows);
        }
        return json;
    }

    private static void addAccuracies(JsonObject json, ChoiceResult part) {
        json.addProperty("questions", part.answers().size());
        add(json, "acc", part.accuracy());
        add(json, "acc_norm", part.accuracyByLength());
    }

    private static void add(JsonObject json, String name, Accuracy accuracy) {
        json.addProperty(name, accuracy.value());
        json.addProperty(
                name + "_stderr",
                accuracy.standardError().isPresent()
                        ? accuracy.standardError().getAsDouble()
                        : null);
    }

    private static JsonObject row(AnsweredQuestion answer) {
        JsonObject row = new JsonObject();
        row.addProperty("answer", answer.question().answer());
        row.addProperty("chosen", answer.chosen());
        row.addProperty("chosen_norm", answer.chosenByLength());
        JsonArray scores = new JsonArray();
        answer.scores().forEach(scores::add);
        row.add("log_likelihoods", scores);
        return row;
    }

    String text(boolean perExample) {
        List<List<String>> rows = new ArrayList<>();
        result.bySubject().forEach((subject, part) -> rows.add(row(subject, part)));
        rows.add(row(task.toString(), result));
        List<String> header = List.of("task", "questions", "acc", "stderr", "acc_norm", "stderr");
        StringBuilder text = new StringBuilder(TextTable.of(header, rows));
        if (perExample) {
            int number = 0;
            for (AnsweredQuestion answer : result.answers()) {
                number++;
                text.append(
                        String.format(
                                Locale.ROOT,
                                "%6d  answer %d  chosen %d  chosen_norm %d  log p %s%n",
                                number,
                                answer.question().answer(),
                                answer.chosen(),
                                answer.chosenByLength(),
                                scores(answer)));
            }
        }
        return text.toString();
    }

    private static List<String> row(String name, ChoiceResult part) {
        Accuracy accuracy = part.accuracy();
        Accuracy byLength = part.accuracyByLength();
        return List.of(
                name,
                String.valueOf(part.answers().size()),
                share(accuracy.value()),
                error(accuracy),
                share(byLength.value()),
                error(byLength));
    }

    private static String scores(AnsweredQuestion answer) {
        return String.join(
                " ",
                answer.scores().stream()
                        .map(score -> String.format(Locale.ROOT, "%.4f", score))
                        .toList());
    }

    private static String error(Accuracy accuracy) {
        return accuracy.standardError().isPresent()
                ? share(accuracy.standardError().getAsDouble())
                : "-";
    }

    private static String share(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }
}
