package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.cli.ComparedRun.Point;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.PeakMemory;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Trains and measures one adapter after the other on one base model. An adapter leaves the base as
 * it was, bit for bit, so that every run starts alike.
 */
final class MeasuredRuns {

    // as eval has it, so that eval on a saved adapter finds the same loss
    private static final int EVAL_BATCH = 8;
    private static final int EVALUATIONS = 3;

    private final LoadedModel loaded;
    private final String baseName;
    private final List<Example> examples;
    private final List<Example> heldOut;
    private final AdapterOptions adapter;
    private final HyperParameters training;
    private final Map<String, String> facts;
    private final PrintWriter err;
    private final double lossBefore;

    MeasuredRuns(
            LoadedModel loaded,
            String baseName,
            List<Example> examples,
            List<Example> heldOut,
            AdapterOptions adapter,
            HyperParameters training,
            Map<String, String> facts,
            PrintWriter err) {
        this.loaded = loaded;
        this.baseName = baseName;
        this.examples = examples;
        this.heldOut = heldOut;
        this.adapter = adapter;
        this.training = training;
        this.facts = facts;
        this.err = err;
        lossBefore = loss();
    }

    ComparedRun run(String method, int rank, Path output) throws IOException {
        LowRankConfig config =
                adapter.create(
                        method, rank, loaded.model().config().defaultTargetModules(), baseName);
        PeakMemory memory = PeakMemory.start();
        LossHistory history = new LossHistory();
        TrainingResult result;
        long trainable;
        try (AdaptedModel adapted =
                        Adapters.attach(loaded.model().block(), config, training.seed());
                TrainingProgress progress =
                        TrainingProgress.withoutCheckpoints(err, method + " r" + rank)) {
            trainable = adapted.summary().trainable();
            result =
                    SftTrainer.train(
                            LanguageModel.of(loaded.model()),
                            new AdapterTrainable(adapted, facts),
                            examples,
                            heldOut,
                            training.config().optEvalSteps(evalSteps()).build(),
                            output,
                            progress,
                            history);
        }
        PeakMemory.Figure peak = memory.read();
        CompareOutput.dropCheckpoints(output);
        List<Point> losses = new ArrayList<>(List.of(new Point(0, lossBefore)));
        losses.addAll(history.heldOut());
        try (AdaptedModel saved = Adapters.load(loaded.model().block(), output)) {
            return new ComparedRun(
                    method,
                    rank,
                    output,
                    trainable,
                    lossBefore,
                    loss(),
                    result.tokensPerSecond(),
                    peak,
                    MergeCheck.largestDifference(loaded, saved, output, heldOut),
                    history.training(),
                    losses);
        }
    }

    private int evalSteps() {
        return (training.steps(examples.size()) + EVALUATIONS - 1) / EVALUATIONS;
    }

    private double loss() {
        return Evaluation.evaluate(LanguageModel.of(loaded.model()), heldOut, EVAL_BATCH).loss();
    }
}
