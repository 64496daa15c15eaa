package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Prints an object of facts for people: a line per value, a table per list of objects, a paragraph
 * per object of texts.
 */
final class FactSheet {

    private FactSheet() {}

    static String text(JsonObject facts) {
        StringBuilder text = new StringBuilder();
        int width = width(facts);
        for (Map.Entry<String, JsonElement> fact : facts.entrySet()) {
            if (!isTable(fact.getValue()) && !isParagraph(fact.getValue())) {
                text.append(line(fact.getKey().replace('_', ' '), width, fact.getValue()));
            }
        }
        for (Map.Entry<String, JsonElement> fact : facts.entrySet()) {
            if (isParagraph(fact.getValue())) {
                text.append('\n').append(paragraph(fact.getKey(), fact.getValue()));
            }
        }
        for (Map.Entry<String, JsonElement> fact : facts.entrySet()) {
            if (isTable(fact.getValue())) {
                text.append('\n').append(table(fact.getValue().getAsJsonArray()));
            }
        }
        return text.toString();
    }

    private static int width(JsonObject facts) {
        return facts.keySet().stream().mapToInt(String::length).max().orElse(0);
    }

    private static String line(String key, int width, JsonElement value) {
        return key + " ".repeat(width - key.length() + 2) + plain(value) + '\n';
    }

    private static boolean isParagraph(JsonElement value) {
        return value.isJsonObject()
                && !value.getAsJsonObject().isEmpty()
                && value.getAsJsonObject().asMap().values().stream()
                        .allMatch(v -> v.isJsonPrimitive() && v.getAsJsonPrimitive().isString());
    }

    private static String paragraph(String title, JsonElement facts) {
        StringBuilder text = new StringBuilder(title.replace('_', ' ')).append('\n');
        int width = width(facts.getAsJsonObject());
        facts.getAsJsonObject()
                .asMap()
                .forEach((key, value) -> text.append("  ").append(line(key, width, value)));
        return text.toString();
    }

    private static boolean isTable(JsonElement value) {
        return value.isJsonArray()
                && !value.getAsJsonArray().isEmpty()
                && value.getAsJsonArray().get(0).isJsonObject();
    }

    private static boolean isShape(JsonArray values) {
        return values.isEmpty()
                || (values.get(0).isJsonPrimitive()
                        && values.get(0).getAsJsonPrimitive().isNumber());
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
            String list = String.join(", ", parts);
            return isShape(value.getAsJsonArray()) ? "(" + list + ")" : list;
        }
        return value.isJsonPrimitive() ? value.getAsString() : value.toString();
    }
}
