package io.peft4j.cli;

import io.peft4j.tuning.ReferenceSync;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags that have a reference follow the policy, under TRL's names. */
final class ReferenceSyncOptions {

    @Option(
            names = "--sync-ref-model",
            description =
                    "Has the reference follow the policy: every few steps it becomes alpha times"
                            + " the policy's adapter plus (1 - alpha) times its own.")
    private boolean sync;

    @Option(
            names = "--ref-model-mixup-alpha",
            paramLabel = "A",
            description = "That alpha; 1 copies the policy (default: 0.6).")
    private @Nullable Double mixupAlpha;

    @Option(
            names = "--ref-model-sync-steps",
            paramLabel = "N",
            description = "After how many steps (default: 512).")
    private @Nullable Integer syncSteps;

    /** Returns how the reference follows; none if it never moves. */
    Optional<ReferenceSync> sync() {
        if (!sync) {
            if (mixupAlpha != null || syncSteps != null) {
                throw new UsageException(
                        (mixupAlpha != null ? "--ref-model-mixup-alpha" : "--ref-model-sync-steps")
                                + " needs --sync-ref-model");
            }
            return Optional.empty();
        }
        ReferenceSync standard = ReferenceSync.DEFAULT;
        try {
            return Optional.of(
                    new ReferenceSync(
                            mixupAlpha == null ? standard.mixupAlpha() : mixupAlpha,
                            syncSteps == null ? standard.steps() : syncSteps));
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }
}
