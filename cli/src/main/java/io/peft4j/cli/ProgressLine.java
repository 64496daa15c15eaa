package io.peft4j.cli;

import java.util.List;
import java.util.Locale;

/**
 * How far a task is, as one line of a terminal.
 *
 * @param task what is done
 * @param step how many steps are done
 * @param total how many there are
 * @param notes what else to tell, the most important first
 */
record ProgressLine(String task, long step, long total, List<String> notes) {

    private static final int SHORTEST_BAR = 8;

    /** Returns exactly as many characters, or, if not even that fits, the beginning of the line. */
    String fit(int width) {
        for (int kept = notes.size(); kept >= 0; kept--) {
            String before =
                    String.format(Locale.ROOT, "%s %3d%% [", task, 100 * step / Math.max(1, total));
            String after = "] " + step + "/" + total + suffix(notes.subList(0, kept));
            int room = width - before.length() - after.length();
            if (room >= SHORTEST_BAR) {
                return before + bar(room) + after;
            }
        }
        String plain = task + " " + step + "/" + total;
        return plain.length() > width
                ? plain.substring(0, Math.max(0, width))
                : plain + " ".repeat(width - plain.length());
    }

    private static String suffix(List<String> notes) {
        return notes.isEmpty() ? "" : "  " + String.join("  ", notes);
    }

    private String bar(int room) {
        int done = (int) (room * Math.min(step, total) / Math.max(1, total));
        return done == room
                ? "=".repeat(room)
                : "=".repeat(done) + ">" + " ".repeat(room - done - 1);
    }

    /** Says a time as hours, minutes and seconds. */
    static String time(long seconds) {
        return seconds < 3600
                ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
                : String.format(
                        Locale.ROOT,
                        "%d:%02d:%02d",
                        seconds / 3600,
                        seconds / 60 % 60,
                        seconds % 60);
    }
}
