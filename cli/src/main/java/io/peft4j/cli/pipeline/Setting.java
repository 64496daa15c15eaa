package io.peft4j.cli.pipeline;

import java.util.List;

/**
 * A flag's value in a pipeline's file.
 *
 * @param key the flag's name without its dashes
 * @param values what was said: one text, or those of a list
 * @param place where
 */
public record Setting(String key, List<String> values, Place place) {

    /** Copies the values. */
    public Setting {
        values = List.copyOf(values);
    }

    /**
     * Returns the value as one text.
     *
     * @return the value; of a list, its texts with commas between them
     */
    public String text() {
        return String.join(",", values);
    }
}
