package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.List;

/**
 * How a file's tensors and an adapter's parameters fit together.
 *
 * @param missing parameters that the file lacks
 * @param unexpected tensors that the adapter has no parameter for
 * @param mismatched tensors of another shape, with both shapes
 */
public record LoadReport(List<String> missing, List<String> unexpected, List<String> mismatched) {

    /** Copies the lists. */
    public LoadReport {
        missing = List.copyOf(missing);
        unexpected = List.copyOf(unexpected);
        mismatched = List.copyOf(mismatched);
    }

    /**
     * Tells whether every tensor found its parameter and every parameter its tensor.
     *
     * @return whether nothing is missing, unexpected or misshaped
     */
    public boolean isComplete() {
        return missing.isEmpty() && unexpected.isEmpty() && mismatched.isEmpty();
    }

    static final class Builder {

        private final List<String> missing = new ArrayList<>();
        private final List<String> unexpected = new ArrayList<>();
        private final List<String> mismatched = new ArrayList<>();

        void missing(String key) {
            missing.add(key);
        }

        void unexpected(String key) {
            unexpected.add(key);
        }

        void mismatched(String difference) {
            mismatched.add(difference);
        }

        LoadReport build() {
            return new LoadReport(missing, unexpected, mismatched);
        }
    }
}
