package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.GradientCheckpointing;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java code of docs/fine-tuning.md is the code below. */
class FineTuningPageTest {

    @TempDir private Path directory;

    private static void trainAndMerge(Path modelDirectory, List<Example> rows, Path output)
            throws IOException {
        // example begins
        try (CausalLm model = CausalLm.load(modelDirectory, Device.cpu());
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(),
                                DoraConfig.builder()
                                        .setRank(16)
                                        .setTargetModules("qkv_proj", "out_proj")
                                        .build())) {
            System.out.println(adapted.summary());
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    rows,
                    List.of(),
                    TrainingConfig.builder().optMaxSteps(100).build(),
                    output);
            adapted.merge();
        }
        // example ends
    }

    @Test
    void theShortExampleTrainsMergesAndSavesAnAdapter() throws IOException {
        Path output = directory.resolve("adapter");
        trainAndMerge(
                TestData.path("golden/openelm/model"),
                List.of(Example.of(1, 17, 42, 5, 9)),
                output);
        assertThat(output.resolve("adapter_model.safetensors")).isNotEmptyFile();
    }

    @Test
    void theLongerOneIsWatchedAndMayGoOn() throws IOException {
        List<Example> rows = List.of(Example.of(1, 17, 42, 5, 9), Example.of(1, 17, 42, 6));
        List<Example> heldOut = rows.subList(1, 2);
        Path output = directory.resolve("adapter");
        DoraConfig lora = DoraConfig.builder().setRank(2).setTargetModules("all-linear").build();
        try (CausalLm model = CausalLm.load(TestData.path("golden/openelm/model"), Device.cpu());
                AdaptedModel adapted = Adapters.attach(model.block(), lora)) {
            // example begins
            TrainingObserver observer =
                    new TrainingObserver() {
                        @Override
                        public void onStep(TrainingStep step) {
                            System.out.println(step.step() + ": " + step.loss());
                        }
                    };
            TrainingConfig config =
                    TrainingConfig.builder()
                            .optEpochs(2)
                            .optSaveSteps(10)
                            .optResume(Files.exists(output.resolve("checkpoints")))
                            .optGradientCheckpointing(GradientCheckpointing.AUTO)
                            .build();
            TrainingResult result =
                    SftTrainer.train(
                            LanguageModel.of(model),
                            new AdapterTrainable(adapted),
                            rows,
                            heldOut,
                            config,
                            output,
                            observer);
            System.out.println("held-out loss: " + result.heldOutLoss().orElseThrow());
            // example ends
            assertThat(result.steps()).isEqualTo(2);
        }
    }
}
