package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Five steps on adapters of all families against five steps of torch and PEFT. */
class FamilyTrainingGoldenTest {

    private static final float TOLERANCE = 2e-5f;

    @TempDir Path output;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama3/lora",
                "llama3/dora",
                "phi3/lora",
                "phi3/dora",
                "mixtral/lora",
                "mixtral/dora"
            })
    void fiveStepsOnThePaddedBatch(String adapter) throws IOException {
        int slash = adapter.indexOf('/');
        Path family = TestData.path("golden/" + adapter.substring(0, slash));
        Path directory = family.resolve(adapter.substring(slash + 1));
        TrainingConfig config =
                TrainingConfig.builder()
                        .optBatchSize(2)
                        .optMaxSteps(5)
                        .optLearningRate(1e-2)
                        .optWeightDecay(0.01)
                        .optSchedule(Schedule.CONSTANT)
                        .optMaxGradNorm(0)
                        .optShuffle(false)
                        .build();
        Recorder recorder = new Recorder();
        try (CausalLm model = CausalLm.load(family.resolve("model"), Device.cpu());
                AdaptedModel adapted = Adapters.load(model.block(), directory)) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    OpenElm.paddedBatch(family),
                    List.of(),
                    config,
                    output,
                    recorder);
            assertThat(model.wasByLayerKernels()).isTrue();
        }
        try (SafetensorsFile golden =
                        SafetensorsFile.open(directory.resolve("golden.safetensors"));
                SafetensorsFile start =
                        SafetensorsFile.open(directory.resolve("adapter_model.safetensors"));
                SafetensorsFile saved =
                        SafetensorsFile.open(output.resolve("adapter_model.safetensors"))) {
            float[] losses = golden.toFloats("train_losses");
            for (int step = 0; step < 5; step++) {
                assertThat(recorder.steps.get(step).loss()).isCloseTo(losses[step], within(1e-5));
            }
            List<String> untouched = new ArrayList<>();
            for (String name : saved.names()) {
                // torch skips an expert that no token reached in any step, decay included
                boolean moved = golden.contains("step5." + name);
                if (!moved) {
                    untouched.add(name);
                }
                expectClose(
                        name,
                        saved.toFloats(name),
                        moved ? golden.toFloats("step5." + name) : start.toFloats(name),
                        moved ? TOLERANCE : 0);
            }
            assertThat(untouched.isEmpty()).isEqualTo(!adapter.startsWith("mixtral"));
        }
    }

    private static void expectClose(
            String name, float[] actual, float[] expected, float tolerance) {
        assertThat(actual).as(name).hasSameSizeAs(expected);
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).as("%s[%d]", name, i).isCloseTo(expected[i], within(tolerance));
        }
    }
}
