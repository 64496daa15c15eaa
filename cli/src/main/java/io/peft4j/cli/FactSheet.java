package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Prints an object of facts for people: a line per value, a table per list of objects. */
final class FactSheet {

    private FactSheet() {}

    static String text(JsonObject facts) {
        StringBuilder text = new StringBuilder();
        int width = facts.keySet().stream().mapToInt(String::length).max().orElse(0);
        for (Map.Entry<String, JsonElement> fact : facts.entrySet()) {
            if (!isTable(fact.getValue())) {
                text.append(fact.getKey().replace('_', ' '))
                        .append(" ".repeat(width - fact.getKey().length() + 2))
                        .append(plain(fact.getValue()))
                        .append('\n');
            }
        }
        for (Map.Entry<String, JsonElement> fact : facts.entrySet()) {
            if (isTable(fact.getValue())) {
                text.append('\n').append(table(fact.getValue().getAsJsonArray()));
            }
        }
        return text.toString();
    }

    private static boolean isTable(JsonElement value) {
        return value.isJsonArray()
                && !value.getAsJsonArray().isEmpty()
                && value.getAsJsonArray().get(0).isJsonObject();
    }

    private static String table(JsonArray rows) {
        List<String> header = List.copyOf(rows.get(0).getAsJsonObject().keySet());
        List<List<String>> cells = new ArrayList<>();
        for (JsonElement row : rows) {
            cells.add(header.stream().map(key -> plain(row.getAsJsonObject().get(key))).toList());
        }
        return TextTable.of(header, cells);
    }

    private static String plain(JsonElement value) {
        if (value.isJsonNull()) {
            return "-";
        }
        if (value.isJsonArray()) {
            List<String> parts = new ArrayList<>();
            value.getAsJsonArray().forEach(element -> parts.add(plain(element)));
            return String.join(", ", parts);
        }
        return value.isJsonPrimitive() ? value.getAsString() : value.toString();
    }
}
