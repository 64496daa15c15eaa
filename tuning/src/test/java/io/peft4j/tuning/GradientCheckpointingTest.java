package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Computation;
import io.peft4j.models.LowRankShape;
import io.peft4j.models.MatrixProduct;
import io.peft4j.models.StepMemory;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GradientCheckpointingTest {

    @TempDir private Path directory;

    private static final List<Example> ROWS =
            List.of(
                    Example.of(new long[] {5, 9, 30, 12, 50, 7}),
                    Example.of(new long[] {8, 31, 12, 9}),
                    Example.of(new long[] {40, 41, 42, 43, 44}));

    private static AdapterConfig adapter(String method) {
        return method.equals("lora")
                ? LoraConfig.builder()
                        .setRank(4)
                        .optDropout(0.2)
                        .setTargetModules("all-linear")
                        .build()
                : DoraConfig.builder()
                        .setRank(4)
                        .optDropout(0.2)
                        .setTargetModules("all-linear")
                        .build();
    }

    /** Hears what was chosen. */
    private static final class Listener implements TrainingObserver {

        boolean on;
        String reason = "";

        @Override
        public void onGradientCheckpointing(boolean checkpointing, String why) {
            on = checkpointing;
            reason = why;
        }
    }

    private static Listener train(
            CausalLm model, String method, GradientCheckpointing choice, Path output, int steps)
            throws IOException {
        Listener listener = new Listener();
        try (AdaptedModel adapted = Adapters.attach(model.block(), adapter(method), 5)) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    ROWS,
                    List.of(),
                    TrainingConfig.builder()
                            .optBatchSize(2)
                            .optMaxSteps(steps)
                            .optSchedule(Schedule.CONSTANT)
                            .optSaveSteps(2)
                            .optGradientCheckpointing(choice)
                            .optResume(true)
                            .build(),
                    output,
                    listener);
        }
        assertThat(model.wasByLayerKernels()).isTrue();
        return listener;
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void theResultIsTheSameByteForByte(String method) throws IOException {
        Path on = directory.resolve("on");
        Path off = directory.resolve("off");
        try (CausalLm model = OpenElm.load()) {
            assertThat(train(model, method, GradientCheckpointing.ON, on, 4).on).isTrue();
            assertThat(model.usesGradientCheckpointing()).isTrue();
            assertThat(train(model, method, GradientCheckpointing.OFF, off, 4).on).isFalse();
            assertThat(model.usesGradientCheckpointing()).isFalse();
        }
        assertThat(on.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(off.resolve("adapter_model.safetensors"));
    }

    @Test
    void aResumedRunComputesAsItsCheckpointSays() throws IOException {
        MatrixProduct other;
        try (CausalLm model = OpenElm.load()) {
            other =
                    model.matrixProduct() == MatrixProduct.LINEAR
                            ? MatrixProduct.ONEDNN
                            : MatrixProduct.LINEAR;
            try {
                model.useMatrixProduct(other);
            } catch (IllegalArgumentException e) {
                assumeThat(false).as("a second product").isTrue();
            }
            train(model, "lora", GradientCheckpointing.ON, directory, 2);
        }
        JsonObject compute =
                JsonParser.parseString(
                                Files.readString(
                                        directory.resolve(
                                                "checkpoints/step-000002/trainer_state.json")))
                        .getAsJsonObject()
                        .getAsJsonObject("compute");
        assertThat(compute.get("gradient_checkpointing").getAsString()).isEqualTo("on");
        assertThat(compute.get("matrix_product").getAsString()).isEqualTo(other.name());
        try (CausalLm model = OpenElm.load()) {
            assertThat(model.matrixProduct()).isNotEqualTo(other);
            Listener resumed = train(model, "lora", GradientCheckpointing.AUTO, directory, 4);
            assertThat(resumed.on).isTrue();
            assertThat(resumed.reason).isEqualTo("as in the run that is resumed");
            assertThat(model.matrixProduct()).isEqualTo(other);
            Listener asked = train(model, "lora", GradientCheckpointing.OFF, directory, 6);
            assertThat(asked.on).as("what is asked for wins").isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"WIDENED", "OF_A_LATER_RELEASE"})
    void aProductThatCannotBeHadIsSaidAndReplaced(String product) throws IOException {
        Recorder recorder = new Recorder();
        try (CausalLm model = OpenElm.load()) {
            MatrixProduct before = model.matrixProduct();
            ComputeRecord.restoreProduct(
                    Map.of("matrix_product", product), LanguageModel.of(model), recorder);
            assertThat(model.matrixProduct()).isEqualTo(before);
            assertThat(recorder.warnings).hasSize(1);
            assertThat(recorder.warnings.get(0)).contains(product, before.name(), "rounding");
        }
    }

    @Test
    void trainingByAutogradSaysThatItCannotBeHad() throws IOException {
        try (CausalLm model = OpenElm.load()) {
            FullTrainable all = new FullTrainable(model);
            TrainingConfig.Builder config = TrainingConfig.builder().optMaxSteps(1).optBatchSize(2);
            assertThatExceptionOfType(CheckpointingUnavailableException.class)
                    .isThrownBy(
                            () ->
                                    SftTrainer.train(
                                            LanguageModel.of(model),
                                            all,
                                            ROWS,
                                            List.of(),
                                            config.optGradientCheckpointing(
                                                            GradientCheckpointing.ON)
                                                    .build(),
                                            directory))
                    .withMessageContaining("autograd")
                    .withMessageContaining("auto or off");
            Listener listener = new Listener();
            SftTrainer.train(
                    LanguageModel.of(model),
                    all,
                    ROWS,
                    List.of(),
                    config.optGradientCheckpointing(GradientCheckpointing.AUTO).build(),
                    directory,
                    listener);
            assertThat(listener.on).isFalse();
            assertThat(listener.reason).contains("autograd");
        }
    }

    private static Optional<StepMemory> step() throws IOException {
        try (CausalLm model = OpenElm.load()) {
            return model.config()
                    .stepMemory(
                            Map.of(
                                    "transformer.layers.0.attn.qkv_proj",
                                    new LowRankShape(4, false, false)),
                            Computation.of(Dtype.F32, Device.cpu()),
                            8,
                            64);
        }
    }

    private static CheckpointingChoice auto(OptionalLong available) throws IOException {
        return CheckpointingChoice.of(
                GradientCheckpointing.AUTO, Optional.empty(), true, step(), 1000, available);
    }

    @Test
    void autoChoosesByTheMemoryAtHand() throws IOException {
        long needed = (long) (CheckpointingChoice.MARGIN * step().orElseThrow().peak(false)) + 1000;
        CheckpointingChoice tight = auto(OptionalLong.of(needed - 10));
        assertThat(tight.on()).isTrue();
        assertThat(tight.reason()).contains("GB", "with it", "are available");
        assertThat(auto(OptionalLong.of(needed + 10)).on()).isFalse();
        CheckpointingChoice unknown = auto(OptionalLong.empty());
        assertThat(unknown.on()).isFalse();
        assertThat(unknown.reason()).contains("memory at hand cannot be told");
    }

    @Test
    void namesAreThoseOfTheCommandLine() {
        assertThat(GradientCheckpointing.of("auto")).isEqualTo(GradientCheckpointing.AUTO);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> GradientCheckpointing.of("yes"))
                .withMessageContaining("auto, on or off");
    }
}
