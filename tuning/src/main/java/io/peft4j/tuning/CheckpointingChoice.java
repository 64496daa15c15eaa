package io.peft4j.tuning;

import io.peft4j.models.StepMemory;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Whether a training computes layers again, and why.
 *
 * @param on whether it does
 * @param reason in a few words
 */
public record CheckpointingChoice(boolean on, String reason) {

    /**
     * What an allocator takes for what is foretold: glibc leaves holes between tensors, of a third
     * of all activations and more where it was measured. Too little would end the process.
     */
    static final double MARGIN = 1.5;

    /**
     * Chooses.
     *
     * @param wanted what the settings say
     * @param recorded what the run that is resumed did; empty if none is, or it does not tell
     * @param possible whether layer kernels compute the layers
     * @param step the memory of a step's activations; empty if it cannot be told
     * @param others the bytes that will be taken beside activations
     * @param available the bytes at hand
     * @throws CheckpointingUnavailableException if it is wanted and cannot be had
     */
    static CheckpointingChoice of(
            GradientCheckpointing wanted,
            Optional<Boolean> recorded,
            boolean possible,
            Optional<StepMemory> step,
            long others,
            OptionalLong available) {
        if (!possible) {
            if (wanted == GradientCheckpointing.ON) {
                throw new CheckpointingUnavailableException();
            }
            return new CheckpointingChoice(false, "autograd computes the layers, and keeps them");
        }
        if (wanted != GradientCheckpointing.AUTO) {
            return new CheckpointingChoice(wanted == GradientCheckpointing.ON, "as asked for");
        }
        if (recorded.isPresent()) {
            return new CheckpointingChoice(recorded.get(), "as in the run that is resumed");
        }
        if (step.isEmpty() || available.isEmpty()) {
            String what = step.isEmpty() ? "what a step needs" : "the memory at hand";
            return new CheckpointingChoice(false, what + " cannot be told");
        }
        double without = MARGIN * step.get().peak(false) + others;
        double with = MARGIN * step.get().peak(true) + others;
        boolean fits = without <= available.getAsLong();
        String there = gigabytes((double) available.getAsLong()) + " are available";
        return new CheckpointingChoice(
                !fits,
                "a step needs about "
                        + gigabytes(without)
                        + (fits ? "" : ", or " + gigabytes(with) + " with it")
                        + ", and "
                        + there);
    }

    private static String gigabytes(double bytes) {
        return String.format(Locale.ROOT, "%.2f GB", bytes / 1e9);
    }

    @Override
    public String toString() {
        return "gradient checkpointing is " + (on ? "on" : "off") + ": " + reason;
    }
}
