package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.tuning.preference.IterationFigures;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Tells what iterations have shown. */
final class IterationTable {

    private IterationTable() {}

    static JsonObject json(Path output, List<IterationFigures> figures) {
        JsonArray rows = new JsonArray();
        figures.forEach(one -> rows.add(one.json()));
        JsonObject json = new JsonObject();
        json.addProperty("output", output.toString());
        json.add("iterations", rows);
        return json;
    }

    static String text(Path output, List<IterationFigures> figures) {
        return TextTable.of(
                        List.of(
                                "iteration",
                                "mean reward",
                                "best of a prompt",
                                "pairs",
                                "margin",
                                "steps"),
                        figures.stream().map(IterationTable::cells).toList())
                + ("wrote " + output + "\n");
    }

    private static List<String> cells(IterationFigures one) {
        return List.of(
                String.valueOf(one.iteration()),
                number(one.meanReward()),
                number(one.bestReward()),
                one.pairs() + " of " + one.prompts(),
                number(one.margin()),
                String.valueOf(one.steps()));
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }
}
