package io.peft4j.cli;

import io.peft4j.cli.pipeline.Setting;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What {@code ${name}} stands for: an earlier stage's output, or the directory of the embedded
 * model and data.
 */
final class StageReferences {

    static final String EMBEDDED = "embedded";

    private static final Pattern REFERENCE = Pattern.compile("\\$\\{([^}]*)}");

    private final Map<String, Path> places = new LinkedHashMap<>();
    private final List<String> stages;
    private boolean usesEmbedded;

    /**
     * Begins before the first stage.
     *
     * @param embedded where the embedded model and its data are, or will be
     * @param stages the names of all stages
     */
    StageReferences(Path embedded, List<String> stages) {
        places.put(EMBEDDED, embedded);
        this.stages = stages;
    }

    void add(String stage, Path output) {
        places.put(stage, output);
    }

    /** Tells whether anything has named the embedded model or its data. */
    boolean usesEmbedded() {
        return usesEmbedded;
    }

    Setting resolve(Setting setting) {
        return new Setting(
                setting.key(),
                setting.values().stream().map(value -> resolve(value, setting)).toList(),
                setting.place());
    }

    private String resolve(String value, Setting setting) {
        Matcher reference = REFERENCE.matcher(value);
        StringBuilder text = new StringBuilder();
        while (reference.find()) {
            String name = reference.group(1);
            Path place = places.get(name);
            if (place == null) {
                throw setting.place()
                        .refused(
                                "${"
                                        + name
                                        + "} "
                                        + (stages.contains(name)
                                                ? "is no stage before this one that writes"
                                                        + " something"
                                                : "is no stage")
                                        + "; what can be named here: "
                                        + String.join(", ", places.keySet()));
            }
            usesEmbedded |= name.equals(EMBEDDED);
            reference.appendReplacement(text, Matcher.quoteReplacement(place.toString()));
        }
        return reference.appendTail(text).toString();
    }
}
