package io.peft4j.text;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Finds the known names that a mistyped one most likely meant. */
public final class NearestNames {

    // names can be as many as a file's tensors: the distance is only taken of the likely ones
    private static final int MAX_LENGTH = 512;

    private NearestNames() {}

    /**
     * Returns the nearest names, nearest first.
     *
     * @param wanted the name that was not found
     * @param known the names there are
     * @param limit how many to return at most
     * @return names whose edit distance (case ignored) is at most half of the wanted name's length,
     *     ties in the order of {@code known}
     */
    public static List<String> of(String wanted, Collection<String> known, int limit) {
        String lower = clip(wanted);
        int allowed = Math.max(1, lower.length() / 2);
        return known.stream()
                .distinct()
                .filter(
                        name ->
                                Math.abs(Math.min(name.length(), MAX_LENGTH) - lower.length())
                                        <= allowed)
                .map(name -> new Scored(name, distance(lower, clip(name))))
                .filter(scored -> scored.distance <= allowed)
                .sorted(Comparator.comparingInt(Scored::distance))
                .limit(limit)
                .map(Scored::name)
                .toList();
    }

    /**
     * Returns a sentence part for an error message.
     *
     * @param wanted the name that was not found
     * @param known the names there are
     * @return {@code "; nearest: a, b"}, or an empty string if nothing is near
     */
    public static String hint(String wanted, Collection<String> known) {
        List<String> names = of(wanted, known, 3);
        return names.isEmpty() ? "" : "; nearest: " + String.join(", ", names);
    }

    private static String clip(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return lower.length() > MAX_LENGTH ? lower.substring(0, MAX_LENGTH) : lower;
    }

    /** Levenshtein's distance, one row at a time. */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }

    private record Scored(String name, int distance) {}
}
