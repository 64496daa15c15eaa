package io.peft4j.tuning;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a result tells of the training that made it. */
final class TrainingFacts {

    private static final String NO_ROWS = DataFingerprint.of(List.of());

    private TrainingFacts() {}

    /**
     * Collects the facts.
     *
     * @param kind the kind of training
     * @param steps the optimizer steps done
     * @param epochs how often that is all rows
     * @param settings what decides the result of the run, the adapter's own settings among it
     * @return the facts by key, without what the adapter's own files tell
     */
    static Map<String, String> of(
            String kind, int steps, double epochs, Map<String, String> settings) {
        Map<String, String> facts = new HashMap<>(settings);
        facts.keySet()
                .removeIf(
                        key ->
                                key.startsWith(AdapterTrainable.SETTING)
                                        || key.equals(RunSettings.BASE));
        facts.remove("held_out_sha256", NO_ROWS);
        facts.put("kind", kind);
        facts.put("steps", String.valueOf(steps));
        facts.put("epochs", String.valueOf(epochs));
        return facts;
    }
}
