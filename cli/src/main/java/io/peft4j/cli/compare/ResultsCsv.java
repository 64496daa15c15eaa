package io.peft4j.cli.compare;

import java.util.List;
import java.util.stream.Collectors;

/** Writes the runs of a comparison as {@code results.csv} (RFC 4180), a row per run. */
public final class ResultsCsv {

    private ResultsCsv() {}

    /**
     * Writes a comparison.
     *
     * @param comparison the comparison
     * @return head and rows
     */
    public static String of(Comparison comparison) {
        StringBuilder csv = new StringBuilder(line(RunRecord.NAMES));
        comparison.runs().forEach(run -> csv.append(line(RunRecord.texts(run))));
        return csv.toString();
    }

    private static String line(List<String> cells) {
        return cells.stream().map(ResultsCsv::quoted).collect(Collectors.joining(",")) + "\r\n";
    }

    private static String quoted(String cell) {
        boolean plain = cell.chars().noneMatch(c -> c == ',' || c == '"' || c == '\r' || c == '\n');
        return plain ? cell : '"' + cell.replace("\"", "\"\"") + '"';
    }
}
