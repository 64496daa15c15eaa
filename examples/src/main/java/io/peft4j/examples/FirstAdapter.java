package io.peft4j.examples;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.TextGenerator;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.DatasetOptions;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftDataset;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Fine-tunes a language model and saves the adapter: MODEL-DIRECTORY ROWS.JSONL OUTPUT. */
public final class FirstAdapter {

    public static void main(String[] args) throws IOException {
        Path directory = Path.of(args[0]); // config.json, model.safetensors, tokenizer.json
        DoraConfig config = DoraConfig.builder().setRank(8).setTargetModules("all-linear").build();
        try (CausalLm model = CausalLm.load(directory, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(directory);
                AdaptedModel adapted = Adapters.attach(model.block(), config)) {
            System.out.println(adapted.summary());
            List<Example> rows =
                    SftDataset.read(
                                    Path.of(args[1]),
                                    tokenizer,
                                    DatasetOptions.training(model.config()))
                            .examples();
            TrainingResult result =
                    SftTrainer.train(
                            LanguageModel.of(model),
                            new AdapterTrainable(adapted),
                            rows,
                            List.of(), // none held out
                            TrainingConfig.builder().optMaxSteps(60).optLearningRate(5e-3).build(),
                            Path.of(args[2])); // the adapter, as PEFT reads it
            System.out.println("loss of the last step: " + result.loss().orElse(Double.NaN));

            String prompt = "Sam has 3 apples and buys 4 more. How many apples does he have?\n";
            GenerationConfig length = GenerationConfig.builder().optMaxNewTokens(48).build();
            System.out.println(new TextGenerator(model, tokenizer).generate(prompt, length).text());
        }
    }
}
