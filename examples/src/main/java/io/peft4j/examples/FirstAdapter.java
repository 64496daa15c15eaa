package io.peft4j.examples;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.MergeReport;
import io.peft4j.adapters.TargetModules;
import io.peft4j.dora.DoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Fine-tunes a model with DoRA on a few rows of token ids, merges the adapter into the weights and
 * saves both: the adapter in PEFT's format, the model as a Hugging Face directory.
 *
 * <pre>
 * FirstAdapter MODEL-DIRECTORY OUTPUT-DIRECTORY
 * </pre>
 */
public final class FirstAdapter {

    private FirstAdapter() {}

    /**
     * Runs the example.
     *
     * @param args the model's directory and a new directory for the results
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] args) throws IOException {
        if (args.length != 2) {
            System.err.println("usage: FirstAdapter MODEL-DIRECTORY OUTPUT-DIRECTORY");
            System.exit(2);
        }
        TrainingResult result = runExample(Path.of(args[0]), Path.of(args[1]));
        System.out.println("loss of the last step: " + result.loss().orElse(Double.NaN));
    }

    /**
     * Fine-tunes, merges and saves.
     *
     * @param modelDirectory a model in Hugging Face's layout
     * @param output a new directory; the adapter goes to {@code adapter}, the model to {@code
     *     merged}
     * @return how the training went
     * @throws IOException if a file cannot be read or written
     */
    public static TrainingResult runExample(Path modelDirectory, Path output) throws IOException {
        List<Example> rows = List.of(Example.of(1, 17, 42, 5, 9), Example.of(1, 17, 42, 6, 3, 8));
        try (CausalLm model = CausalLm.load(modelDirectory, Device.cpu())) {
            DoraConfig config =
                    DoraConfig.builder()
                            .setRank(4)
                            .optAlpha(8)
                            .setTargetModules(TargetModules.parse("all-linear"))
                            .build();
            try (AdaptedModel adapted = Adapters.attach(model.block(), config, 42)) {
                System.out.println(adapted.summary());
                TrainingResult result =
                        SftTrainer.train(
                                LanguageModel.of(model),
                                new AdapterTrainable(adapted),
                                rows,
                                List.of(),
                                TrainingConfig.builder()
                                        .optMaxSteps(10)
                                        .optLearningRate(5e-3)
                                        .build(),
                                output.resolve("adapter"));
                MergeReport report = adapted.merge();
                System.out.println("largest change of a weight: " + report.largest());
                model.save(output.resolve("merged"), model.dtype());
                return result;
            }
        }
    }
}
