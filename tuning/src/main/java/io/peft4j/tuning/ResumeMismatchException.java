package io.peft4j.tuning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A training that was asked to go on from a checkpoint of other settings or data. */
public final class ResumeMismatchException extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * Refuses a run to resume.
     *
     * @param checkpoint what was to be resumed from
     * @param contradictions what is not as it was, each in a few words
     */
    public ResumeMismatchException(Path checkpoint, List<String> contradictions) {
        super(
                checkpoint
                        + ": expected the settings of the run that is resumed: "
                        + String.join("; ", contradictions));
    }

    /**
     * Refuses to go on with a run of other settings.
     *
     * @param from what is to be resumed from
     * @param saved its settings, text by name
     * @param now those of now
     * @throws ResumeMismatchException if they are not the same; the message tells each that differs
     */
    public static void requireSame(Path from, Map<String, String> saved, Map<String, String> now)
            throws ResumeMismatchException {
        List<String> contradictions = differences(saved, now);
        if (!contradictions.isEmpty()) {
            throw new ResumeMismatchException(from, contradictions);
        }
    }

    static List<String> differences(Map<String, String> saved, Map<String, String> now) {
        Set<String> keys = new LinkedHashSet<>(saved.keySet());
        keys.addAll(now.keySet());
        List<String> differences = new ArrayList<>();
        for (String key : keys) {
            String before = saved.getOrDefault(key, "nothing");
            String after = now.getOrDefault(key, "nothing");
            if (!before.equals(after)) {
                differences.add(key + " was " + before + ", now it is " + after);
            }
        }
        return differences;
    }
}
