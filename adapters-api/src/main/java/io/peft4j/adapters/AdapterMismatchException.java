package io.peft4j.adapters;

import io.peft4j.text.NearestNames;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.StringJoiner;

/** A file's tensors do not fit the adapter; the message lists every difference. */
public final class AdapterMismatchException extends IOException {

    private static final long serialVersionUID = 1L;
    private static final int LISTED = 20;

    private final transient LoadReport report;

    /**
     * Says what does not fit, for an {@link AdapterHost}.
     *
     * @param source the file
     * @param report the differences, of which there is at least one
     */
    public AdapterMismatchException(String source, LoadReport report) {
        this(source, report, List.of());
    }

    AdapterMismatchException(String source, LoadReport report, Collection<String> known) {
        super(message(source, report, known));
        this.report = report;
    }

    /**
     * Returns the differences.
     *
     * @return what is missing, unexpected and misshaped
     */
    public LoadReport report() {
        return report;
    }

    private static String message(String file, LoadReport report, Collection<String> known) {
        StringJoiner parts = new StringJoiner("; ", file + " does not fit the model: ", "");
        add(parts, "missing", report.missing());
        List<String> unexpected =
                report.unexpected().stream()
                        .limit(LISTED)
                        .map(name -> name + NearestNames.hint(name, known))
                        .toList();
        add(parts, "unexpected", unexpected, report.unexpected().size());
        add(parts, "misshaped", report.mismatched());
        return parts.toString();
    }

    private static void add(StringJoiner parts, String what, List<String> names) {
        add(parts, what, names.subList(0, Math.min(LISTED, names.size())), names.size());
    }

    private static void add(StringJoiner parts, String what, List<String> shown, int all) {
        if (all > 0) {
            parts.add(
                    all
                            + " "
                            + what
                            + ": "
                            + String.join(", ", shown)
                            + (all > shown.size() ? ", …" : ""));
        }
    }
}
