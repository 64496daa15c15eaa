package io.peft4j.cli.pipeline;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A stage as the file has it.
 *
 * @param name what it is called, and its directory
 * @param command the command that does it
 * @param settings the command's flags by name, without dashes
 * @param place where it begins
 */
public record StageSpec(String name, String command, Map<String, Setting> settings, Place place) {

    /** Copies the settings. */
    public StageSpec {
        settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
    }

    StageSpec with(Setting setting) {
        Map<String, Setting> changed = new LinkedHashMap<>(settings);
        changed.put(setting.key(), setting);
        return new StageSpec(name, command, changed, place);
    }
}
