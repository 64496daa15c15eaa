package io.peft4j.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.loss.Loss;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.ModelCard;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.tensorboard.EventFile;
import io.peft4j.tensorboard.TensorBoardListener;
import io.peft4j.tensorboard.TensorBoardReport;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingReport;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/watching.md are the code below, which is compiled and run. */
class WatchingPageTest {

    private static final Path SOURCE =
            Path.of("src/test/java/io/peft4j/mlflow/WatchingPageTest.java");
    private static final Path PAGE = Path.of("..", "docs", "watching.md");

    @TempDir Path directory;

    @Test
    void reportsOfATraining() throws Exception {
        List<Example> rows = List.of(Example.of(5, 6, 7, 8), Example.of(9, 8, 7));
        TrainingConfig config = TrainingConfig.builder().optMaxSteps(2).build();
        Path output = directory.resolve("adapter");
        LoraConfig lora = LoraConfig.builder().setRank(2).setTargetModules("qkv_proj").build();
        try (TrackingServer server = new TrackingServer();
                CausalLm model =
                        CausalLm.load(TestData.path("golden/openelm/model"), ai.djl.Device.cpu());
                AdaptedModel adapted = Adapters.attach(model.block(), lora)) {
            String uri = server.uri();
            // example begins
            MlflowConfig mlflow =
                    MlflowConfig.builder()
                            .setTrackingUri(uri) // such as http://localhost:5000
                            .optExperimentName("openelm")
                            .optDirectory(output) // a resumed training goes on with its run
                            .build();
            try (TrainingReport curves = new TensorBoardReport(output.resolve("runs"));
                    TrainingReport run = new MlflowReport(mlflow)) {
                SftTrainer.train(
                        LanguageModel.of(model),
                        new AdapterTrainable(adapted),
                        rows,
                        List.of(),
                        config,
                        output,
                        curves,
                        run);
            }
            // example ends
            assertThat(EventFile.anyIn(output.resolve("runs"))).isTrue();
            assertThat(TrackingServer.texts(server.logged("params")))
                    .containsEntry("batch_size", "8")
                    .containsEntry("adapter.r", "2");
            assertThat(TrackingServer.texts(server.logged("tags")))
                    .containsEntry("provenance.training.steps", "2")
                    .containsKey("provenance.base.fingerprint");
            assertThat(server.calls("mlflow/runs/update").get(0).json().get("status").getAsString())
                    .isEqualTo("FINISHED");
        }
    }

    @Test
    void aTrainingOfDjlsTrainer() throws Exception {
        try (Model model = Model.newInstance("classifier")) {
            NDManager manager = model.getNDManager();
            // by one layer alone, gradients of a softmax sum to the zero that DJL refuses
            model.setBlock(
                    new SequentialBlock()
                            .add(Linear.builder().setUnits(4).build())
                            .add(Activation::tanh)
                            .add(Linear.builder().setUnits(2).build()));
            ArrayDataset data =
                    new ArrayDataset.Builder()
                            .setData(manager.ones(new Shape(4, 3)))
                            .optLabels(manager.ones(new Shape(4)))
                            .setSampling(2, false)
                            .build();
            Path runs = directory.resolve("runs");
            // example begins
            DefaultTrainingConfig config =
                    new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                            .addEvaluator(new Accuracy())
                            .addTrainingListeners(new TensorBoardListener(runs));
            try (Trainer trainer = model.newTrainer(config)) {
                trainer.initialize(new Shape(1, 3));
                EasyTrain.fit(trainer, 2, data, data);
            }
            // example ends
            assertThat(EventFile.anyIn(runs)).isTrue();
        }
    }

    @Test
    void aCardForASavedAdapter() throws Exception {
        Path adapter = directory.resolve("adapter");
        Files.createDirectory(adapter);
        for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
            Files.copy(TestData.path("golden/openelm/lora").resolve(name), adapter.resolve(name));
        }
        // example begins
        boolean written = ModelCard.of(adapter).write(adapter); // false: its README.md is a user's
        // example ends
        assertThat(written).isTrue();
        assertThat(adapter.resolve("README.md")).content().contains("library_name: peft");
    }

    @Test
    void pageShowsExactlyTheCodeThatIsTested() throws Exception {
        List<String> tested =
                Pattern.compile("// example begins\n(.*?)\n *// example ends", Pattern.DOTALL)
                        .matcher(Files.readString(SOURCE))
                        .results()
                        .map(example -> example.group(1).stripIndent())
                        .toList();
        List<String> shown =
                Pattern.compile("```java\n(.*?)\n```", Pattern.DOTALL)
                        .matcher(Files.readString(PAGE))
                        .results()
                        .map((MatchResult result) -> result.group(1))
                        .toList();
        assertThat(tested).hasSize(3);
        assertThat(shown).isEqualTo(tested);
    }
}
