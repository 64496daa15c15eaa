package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.translate.NoopTranslator;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchRuntime;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds of passes beside their numbers. */
class AdaptedPassTest {

    @TempDir Path temporary;

    private final Model model = Model.newInstance("hosted", "PyTorch");
    private final NDManager manager = model.getNDManager();

    @AfterEach
    void close() {
        model.close();
    }

    private TorchScriptBlock load(String archive) throws IOException {
        return TorchScriptBlock.load(PeftGolden.archive(archive), manager);
    }

    private static LoraConfig lora(int rank, String... targets) {
        return LoraConfig.builder().setRank(rank).setTargetModules(targets).build();
    }

    /** Gives an adapter values that are not zero. */
    private static void fill(AdaptedModel adapted, String name, long seed) {
        Random random = new Random(seed);
        for (Parameter parameter : adapted.adapter(name).parameters().values()) {
            NDArray array = parameter.getArray();
            float[] values = new float[(int) array.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian() * 0.4f;
            }
            try (NDArray drawn = Tensors.of(array.getManager(), values, array.getShape())) {
                Tensors.copy(drawn, array);
            }
        }
    }

    private NDArray formsInput() {
        float[] values = new float[24];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i);
        }
        return Tensors.of(manager, values, new ai.djl.ndarray.types.Shape(4, 6));
    }

    private float[] run(Block block, NDArray input, boolean training) {
        try (NDManager scope = manager.newSubManager()) {
            NDList inputs = new NDList(input);
            NDArray out =
                    block.forward(new ParameterStore(scope, false), inputs, training)
                            .singletonOrThrow();
            out.attach(scope);
            return Tensors.toFloats(out);
        }
    }

    private static void assertClose(float[] found, float[] expected) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i]).isCloseTo(expected[i], within(2e-6f));
        }
    }

    @Test
    void aWeightThatAnotherModuleMultipliesWithIsAdapted() throws IOException {
        TorchScriptBlock block = load("forms");
        NDArray x = formsInput();
        float[] base = run(block, x, false);
        try (AdaptedModel adapted = Adapters.attach(block, lora(2, "functional"))) {
            fill(adapted, "default", 1);
            float[] out = run(adapted.block(), x, false);
            assertThat(out).isNotEqualTo(base);
            adapted.merge();
            assertClose(run(adapted.block(), x, false), out);
            adapted.unmerge();
        }
        assertThat(run(block, x, false)).containsExactly(base);
    }

    @Test
    void aWeightThatIsUsedTwiceIsAdaptedInBothUses() throws IOException {
        TorchScriptBlock block = load("reused");
        NDArray x = formsInput();
        try (AdaptedModel adapted = Adapters.attach(block, lora(2, "first", "second"))) {
            fill(adapted, "default", 1);
            float[] out = run(adapted.block(), x, false);
            adapted.merge();
            assertClose(run(adapted.block(), x, false), out);
        }
    }

    @Test
    void twoAdaptersOnTheSameWeightsAddUp() throws IOException {
        TorchScriptBlock block = load("forms");
        NDArray x = formsInput();
        String[] targets = {"added", "multiplied", "last"};
        try (AdaptedModel adapted = Adapters.attach(block, lora(2, targets))) {
            adapted.add("other", DoraConfig.builder().setRank(3).setTargetModules(targets).build());
            fill(adapted, "default", 1);
            fill(adapted, "other", 2);
            adapted.activate("default", "other");
            float[] both = run(adapted.block(), x, false);
            adapted.activate("default");
            float[] one = run(adapted.block(), x, false);
            adapted.activate("default", "other");
            adapted.merge();
            assertClose(run(adapted.block(), x, false), both);
            assertThat(one).isNotEqualTo(both);
        }
    }

    @Test
    void betweenPassesTheModuleIsThePlainOneAndNothingStays() throws IOException {
        TorchScriptBlock block = load("forms");
        NDArray x = formsInput();
        float[] base = run(block, x, false);
        try (AdaptedModel adapted =
                Adapters.attach(block, lora(2, "added", "functional", "turned"))) {
            fill(adapted, "default", 1);
            trainOnce(adapted, x);
            int arrays = managed();
            for (int i = 0; i < 5; i++) {
                trainOnce(adapted, x);
                run(adapted.block(), x, false);
            }
            assertThat(managed()).isEqualTo(arrays);
            assertThat(run(block, x, false)).containsExactly(base);
            try (AdapterScope off = adapted.disableAdapter()) {
                assertThat(run(adapted.block(), x, false)).containsExactly(base);
            }
        }
    }

    private int managed() {
        return ((BaseNDManager) manager).getManagedArrays().size();
    }

    private void trainOnce(AdaptedModel adapted, NDArray x) {
        try (NDManager scope = manager.newSubManager();
                GradMode on = GradMode.enabled()) {
            NDList inputs = new NDList(x.reshape(x.getShape()));
            inputs.attach(scope);
            adapted.adapter()
                    .parameters()
                    .values()
                    .forEach(p -> p.getArray().setRequiresGradient(true));
            NDArray out =
                    adapted.block()
                            .forward(new ParameterStore(scope, false), inputs, true)
                            .singletonOrThrow();
            Gradients.backward(out.sum());
        }
    }

    @Test
    void threadsWithAdaptersOfTheirOwnDoNotSeeEachOthers() throws Exception {
        TorchScriptBlock block = load("forms");
        String[] targets = {"added", "functional"};
        model.setBlock(block);
        try (AdaptedModel adapted = Adapters.attach(model, lora(2, targets));
                NDManager inputs = NDManager.newBaseManager()) {
            for (int i = 1; i < 4; i++) {
                adapted.add("a" + i, lora(i, targets));
                fill(adapted, "a" + i, i);
            }
            NDArray x = formsInput();
            List<float[]> alone = new ArrayList<>();
            for (int i = 1; i < 4; i++) {
                alone.add(request(adapted, "a" + i, x));
            }
            ExecutorService threads = Executors.newFixedThreadPool(8);
            List<Future<float[]>> results = new ArrayList<>();
            for (int i = 0; i < 48; i++) {
                String name = "a" + (i % 3 + 1);
                Callable<float[]> call = () -> request(adapted, name, x);
                results.add(threads.submit(call));
            }
            for (int i = 0; i < results.size(); i++) {
                assertThat(results.get(i).get()).containsExactly(alone.get(i % 3));
            }
            threads.shutdown();
        }
    }

    private float[] request(AdaptedModel adapted, String name, NDArray x) throws Exception {
        try (AdapterScope scope = adapted.use(name);
                Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
            return Tensors.toFloats(predictor.predict(new NDList(x)).singletonOrThrow());
        }
    }

    @Test
    void dropoutOfTheAdapterActsInTrainingAndIsDrawnAgainFromASeed() throws IOException {
        TorchScriptBlock block = load("forms");
        NDArray x = formsInput();
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(2)
                        .optDropout(0.5)
                        .setTargetModules("added", "multiplied")
                        .build();
        try (AdaptedModel adapted = Adapters.attach(block, config)) {
            fill(adapted, "default", 1);
            float[] served = run(adapted.block(), x, false);
            TorchRuntime.seed(5);
            float[] one = run(adapted.block(), x, true);
            float[] two = run(adapted.block(), x, true);
            TorchRuntime.seed(5);
            assertThat(run(adapted.block(), x, true)).containsExactly(one);
            assertThat(one).isNotEqualTo(two).isNotEqualTo(served);
            assertThat(run(adapted.block(), x, false)).containsExactly(served);
        }
    }

    @Test
    void parametersAreSavedAndLoadedInPlace() throws Exception {
        TorchScriptBlock block = load("forms");
        NDArray x = formsInput();
        float[] before = run(block, x, false);
        ByteArrayOutputStream saved = new ByteArrayOutputStream();
        block.saveParameters(new DataOutputStream(saved));
        try (AdaptedModel adapted = Adapters.attach(block, lora(2, "added", "turned"))) {
            fill(adapted, "default", 1);
            adapted.mergeAndUnload();
        }
        assertThat(run(block, x, false)).isNotEqualTo(before);
        block.loadParameters(
                manager, new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
        assertThat(run(block, x, false)).containsExactly(before);
    }

    @Test
    void anArchiveThatLibtorchHasSavedAgainIsAdaptedTheSame() throws Exception {
        Path again = temporary.resolve("again.pt");
        resave(PeftGolden.archive("forms"), again);
        NDArray x = formsInput();
        float[][] outputs = new float[2][];
        int i = 0;
        for (Path file : List.of(PeftGolden.archive("forms"), again)) {
            TorchScriptBlock block = TorchScriptBlock.load(file, manager);
            try (AdaptedModel adapted =
                    Adapters.attach(
                            block,
                            DoraConfig.builder()
                                    .setRank(2)
                                    .setTargetModules(TargetModules.parse("all-linear"))
                                    .build())) {
                fill(adapted, "default", 1);
                outputs[i++] = run(adapted.block(), x, false);
            }
        }
        assertThat(outputs[1]).containsExactly(outputs[0]);
    }

    @Test
    void aCopyThatWasMadeForAdaptersAndSavedAgainIsRefused() throws Exception {
        Path copy = temporary.resolve("copy.pt");
        Path again = temporary.resolve("again.pt");
        try (TorchScriptArchive archive = TorchScriptArchive.open(PeftGolden.archive("forms"));
                OutputStream stream = Files.newOutputStream(copy)) {
            Surgery.plan(archive).write(stream);
        }
        resave(copy, again);
        long files = Files.list(temporary).count();
        for (Path file : List.of(copy, again)) {
            assertThatThrownBy(() -> TorchScriptBlock.load(file, manager))
                    .isInstanceOf(TorchScriptException.class)
                    .hasMessageContaining(file.getFileName() + ": it is a copy that was made for")
                    .hasMessageContaining("load the original");
        }
        assertThat(Files.list(temporary).count()).isEqualTo(files);
    }

    static void resave(Path file, Path target) throws Exception {
        try (Model stock = Model.newInstance("stock", "PyTorch");
                OutputStream stream = Files.newOutputStream(target)) {
            stock.load(file);
            ai.djl.pytorch.jni.JniUtils.writeModule(
                    (ai.djl.pytorch.engine.PtSymbolBlock) stock.getBlock(), stream, false);
        }
    }
}
