package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.cli.compare.ExperimentFolder;
import io.peft4j.cli.compare.RunFile;
import io.peft4j.cli.compare.RunLock;
import io.peft4j.cli.compare.RunMetrics;
import io.peft4j.cli.compare.RunResult;
import io.peft4j.cli.compare.RunSpec;
import io.peft4j.models.CausalLm;
import io.peft4j.torch.TorchRuntime;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.FullTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.PeakMemory;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.Trainable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * Trains and measures runs of a comparison in this process, one after the other. An adapter leaves
 * the base as it was, bit for bit, so that those share one; a full fine-tuning has its own.
 */
final class MeasuredRuns implements AutoCloseable {

    // as eval has it, so that eval on a saved adapter finds the same loss
    private static final int EVAL_BATCH = 8;

    /** Checkpoints of a run, unless a flag says how often. */
    private static final int CHECKPOINTS = 10;

    /** For a process of a killed comparison to notice it and to go. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final RunSettings settings;
    private final ComputeOptions compute;
    private final @Nullable Integer saveSteps;
    private final int sideBySide;
    private final PrintWriter err;
    private @Nullable Base shared;

    MeasuredRuns(
            RunSettings settings,
            ComputeOptions compute,
            @Nullable Integer saveSteps,
            int sideBySide,
            PrintWriter err) {
        this.settings = settings;
        this.compute = compute;
        this.saveSteps = saveSteps;
        this.sideBySide = sideBySide;
        this.err = err;
    }

    /**
     * A loaded base and its loss without an adapter.
     *
     * @param loaded the model
     * @param loss its held-out loss
     */
    private record Base(LoadedModel loaded, double loss) {}

    /** Does a run whose {@code run.json} has been begun, goes on with it, or finds it done. */
    void run(RunSpec run, String label, Path output) throws IOException {
        try (RunLock lock = RunLock.take(output, PATIENCE)) {
            RunFile file = RunFile.read(output).orElseThrow();
            if (file.result().isEmpty()) {
                file.finished(measure(run, label, output)).write(output);
            }
            ExperimentFolder.dropCheckpoints(output);
        } catch (IOException | RuntimeException e) {
            close(); // it may be merged or trained in part
            throw e;
        }
    }

    private RunResult measure(RunSpec run, String label, Path output) throws IOException {
        return run.variant().rank().isPresent()
                ? adapter(run, label, output)
                : full(run, label, output);
    }

    private RunResult adapter(RunSpec run, String label, Path output) throws IOException {
        Base base = base();
        CausalLm model = base.loaded().model();
        PeakMemory memory = PeakMemory.start();
        long trainable;
        try (AdaptedModel adapted =
                Adapters.attach(model.block(), settings.adapter(run.variant()), run.seed())) {
            trainable = adapted.summary().trainable();
            train(model, new AdapterTrainable(adapted, facts()), run, label, output);
        }
        PeakMemory.Figure peak = memory.read();
        try (AdaptedModel saved = Adapters.load(model.block(), output)) {
            double after = loss(base.loaded());
            double difference =
                    MergeCheck.largestDifference(
                            base.loaded(), saved, output, settings.inputs().heldOut());
            return result(
                    output, trainable, base.loss(), after, peak, OptionalDouble.of(difference));
        }
    }

    private RunResult full(RunSpec run, String label, Path output) throws IOException {
        close(); // two bases need not be in memory
        PeakMemory memory = PeakMemory.start();
        double before;
        long trainable;
        try (LoadedModel loaded = open(settings.inputs().source())) {
            CausalLm model = loaded.model();
            before = loss(loaded);
            model.block().freezeParameters(false);
            trainable =
                    model.parameters().values().stream()
                            .mapToLong(parameter -> parameter.getArray().size())
                            .sum();
            train(model, new FullTrainable(model), run, label, output);
            loaded.addTokenizer(output);
        }
        PeakMemory.Figure peak = memory.read();
        try (LoadedModel saved = open(Source.of(output))) {
            return result(output, trainable, before, loss(saved), peak, OptionalDouble.empty());
        }
    }

    private void train(CausalLm model, Trainable trainable, RunSpec run, String label, Path output)
            throws IOException {
        int everyTenth = Math.max(1, settings.steps() / CHECKPOINTS);
        try (TrainingProgress progress = TrainingProgress.withoutCheckpoints(err, label)) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    trainable,
                    settings.inputs().examples(),
                    settings.inputs().heldOut(),
                    settings.config(run)
                            .optSaveSteps(saveSteps == null ? everyTenth : saveSteps)
                            .optResume(ExperimentFolder.hasCheckpoints(output))
                            .build(),
                    output,
                    progress);
        }
    }

    private RunResult result(
            Path output,
            long trainable,
            double before,
            double after,
            PeakMemory.Figure peak,
            OptionalDouble mergeDifference)
            throws IOException {
        RunMetrics metrics = RunMetrics.read(output);
        return new RunResult(
                trainable,
                before,
                after,
                metrics.training().size(),
                metrics.seconds(),
                metrics.tokensPerSecond(),
                peak.megabytes(),
                peak.estimated(),
                mergeDifference,
                TorchRuntime.threads(),
                sideBySide);
    }

    private Map<String, String> facts() throws IOException {
        return DataFiles.facts(settings.inputs().data(), settings.inputs().evalData());
    }

    private Base base() throws IOException {
        Base base = shared;
        if (base == null) {
            LoadedModel loaded = open(settings.inputs().source());
            base = new Base(loaded, loss(loaded));
            shared = base;
        }
        return base;
    }

    private LoadedModel open(Source model) throws IOException {
        return LoadedModel.open(model, null, compute, err);
    }

    private double loss(LoadedModel loaded) {
        return Evaluation.evaluate(
                        LanguageModel.of(loaded.model()), settings.inputs().heldOut(), EVAL_BATCH)
                .loss();
    }

    @Override
    public void close() {
        if (shared != null) {
            shared.loaded().close();
            shared = null;
        }
    }
}
