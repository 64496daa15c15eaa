package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterPredictor;
import io.peft4j.adapters.AdapterRequest;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.AdapterTranslator;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.serving.AdapterExport;
import io.peft4j.serving.ExportReport;
import io.peft4j.serving.Server;
import io.peft4j.serving.ServerCheck;
import io.peft4j.testdata.TestData;
import io.peft4j.torchscript.TorchScriptBlock;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/serving.md are the code below, which is compiled and run. */
class ServingPageTest {

    @TempDir private Path directory;

    @Test
    void export() throws IOException {
        Path saved = TestData.path("golden/serving/dora");
        try (CausalLm model = CausalLm.load(TestData.path("golden/llama3/model"), Device.cpu());
                AdaptedModel adapted = Adapters.load(model.block(), saved)) {
            // example begins
            ServerCheck.of(Server.VLLM, saved, model.config())
                    .forEach(
                            finding ->
                                    System.out.println(finding.outcome() + ": " + finding.text()));
            ExportReport report =
                    AdapterExport.builder()
                            .setServer(Server.LLAMA_CPP)
                            .optRank(4) // DoRA needs one
                            .build()
                            .write(model, adapted.adapter(), directory);
            System.out.println(report.written() + " keeps at least " + report.leastEnergy());
            // example ends
            assertThat(report.written()).isNotEmptyFile();
            assertThat(report.leastEnergy()).isBetween(0.3, 0.99);
        }
    }

    private Model model() {
        Model model = Model.newInstance("perceptron");
        model.setBlock(new SequentialBlock().add(Linear.builder().setUnits(3).build()));
        model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
        return model;
    }

    private static AdaptedModel adapters(Model model) {
        AdaptedModel adapted = Adapters.attach(model, config(2));
        randomise(adapted.add("tone", config(2)));
        randomise(adapted.add("facts", config(3)));
        return adapted;
    }

    private static LoraConfig config(int rank) {
        return LoraConfig.builder().setRank(rank).setTargetModules("all-linear").build();
    }

    private static void randomise(Adapter adapter) {
        for (var parameter : adapter.parameters().values()) {
            NDArray array = parameter.getArray();
            array.addi(array.getManager().randomNormal(array.getShape()));
        }
    }

    private static float[] expected(
            AdaptedModel adapted, Model model, NDList input, String... names)
            throws TranslateException {
        try (AdapterScope request = adapted.use(names);
                Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
            return predictor.predict(input).head().toFloatArray();
        }
    }

    @Test
    void adaptersPerRequest() throws TranslateException {
        try (Model model = model();
                AdaptedModel adapted = adapters(model)) {
            NDList input = new NDList(model.getNDManager().ones(new Shape(1, 4)));
            // example begins
            Translator<NDList, NDList> translator = new NoopTranslator();
            try (Predictor<AdapterRequest<NDList>, NDList> predictor =
                    model.newPredictor(new AdapterTranslator<>(adapted, translator))) {
                NDList tone = predictor.predict(AdapterRequest.of(input, "tone"));
                NDList both = predictor.predict(AdapterRequest.of(input, "tone", "facts"));
                NDList base = predictor.predict(AdapterRequest.of(input)); // the base model
                // example pauses
                assertThat(tone.head().toFloatArray())
                        .isEqualTo(expected(adapted, model, input, "tone"));
                assertThat(both.head().toFloatArray())
                        .isEqualTo(expected(adapted, model, input, "tone", "facts"));
                assertThat(base.head().toFloatArray()).isEqualTo(expected(adapted, model, input));
                // example goes on
            }
            // example ends
        }
    }

    @Test
    void requestsTogether() throws TranslateException {
        try (Model model = model();
                AdaptedModel adapted = adapters(model)) {
            NDList input = new NDList(model.getNDManager().ones(new Shape(1, 4)));
            // example begins
            try (AdapterPredictor<NDList, NDList> predictor =
                    new AdapterPredictor<>(model, adapted, new NoopTranslator())) {
                List<NDList> answers =
                        predictor.batchPredict(
                                List.of(
                                        AdapterRequest.of(input, "tone"),
                                        AdapterRequest.of(input, "facts"),
                                        AdapterRequest.of(input, "tone")));
                // example pauses
                assertThat(answers.get(1).head().toFloatArray())
                        .isEqualTo(expected(adapted, model, input, "facts"));
                assertThat(answers.get(2).head().toFloatArray())
                        .isEqualTo(expected(adapted, model, input, "tone"));
                // example goes on
            }
            // example ends
        }
    }

    @Test
    void threads() throws IOException {
        Path archive = TestData.path("golden/torchscript/forms.pt");
        try (Model model = Model.newInstance("hosted")) {
            // example begins
            TorchScriptBlock block = TorchScriptBlock.load(archive, model.getNDManager());
            block.setCopies(4); // or the argument torchScriptCopies of Criteria
            // example ends
            model.setBlock(block);
            assertThat(Adapters.sites(block)).isNotEmpty();
        }
    }

    @Test
    void swapping() throws IOException, TranslateException {
        try (Model model = model();
                AdaptedModel adapted = adapters(model)) {
            NDList input = new NDList(model.getNDManager().ones(new Shape(1, 4)));
            Path newer = directory.resolve("newer");
            adapted.adapter("facts").save(newer);
            float[] facts = expected(adapted, model, input, "facts");
            assertThat(expected(adapted, model, input, "tone")).isNotEqualTo(facts);
            // example begins
            adapted.hotswap("tone", newer); // a request that has begun ends with the old one
            // example ends
            assertThat(expected(adapted, model, input, "tone")).isEqualTo(facts);
        }
    }
}
