package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.UnsupportedDtypeException;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** DJL does not know the type, and much that it does with such an array ends the process. */
class BFloat16ArchiveTest {

    /** Half a step of the type, relative, for numbers near one. */
    private static final float ROUNDING = 1 / 256f;

    @TempDir Path temporary;

    private final Model model = Model.newInstance("bfloat16", "PyTorch");
    private final NDManager manager = model.getNDManager();

    @AfterEach
    void close() {
        model.close();
    }

    private NDArray input() {
        float[] values = new float[24];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i);
        }
        return BFloat16.of(manager, Tensors.of(manager, values, new Shape(4, 6)));
    }

    private NDArray run(ai.djl.nn.Block block, boolean training) {
        ParameterStore store = new ParameterStore(manager, false);
        return block.forward(store, new NDList(input()), training).singletonOrThrow();
    }

    private AdaptedModel adapted(TorchScriptBlock block) {
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(2)
                        .setTargetModules("added", "functional", "turned", "last")
                        .build();
        AdaptedModel adapted = Adapters.attach(block, config);
        Random random = new Random(4);
        for (Parameter parameter : adapted.adapter().parameters().values()) {
            float[] values = new float[(int) parameter.getArray().size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian() * 0.3f;
            }
            Tensors.copy(
                    Tensors.of(manager, values, parameter.getArray().getShape()),
                    parameter.getArray());
        }
        return adapted;
    }

    private TorchScriptBlock load() throws IOException {
        return TorchScriptBlock.load(PeftGolden.archive("forms_bfloat16"), manager);
    }

    @Test
    void outputsAreFloat32AndWhatDjlDoesWithThemWorks() throws IOException {
        NDArray out = run(load(), false);
        assertThat(out.getDataType()).isEqualTo(DataType.FLOAT32);
        assertThat(out.softmax(1).sum().getFloat()).isCloseTo(4, within(1e-5f));
        assertThat(load().getOutputShapes(new Shape[] {new Shape(2, 6)}))
                .containsExactly(new Shape(2, 3));
    }

    /** By the fast form and by effective weights: the merged weights are rounded once more. */
    @Test
    void whatIsAdaptedIsWhatIsMergedAndWritten() throws Exception {
        TorchScriptBlock block = load();
        float[] base = run(block, false).toFloatArray();
        float[] out;
        try (AdaptedModel adapted = adapted(block)) {
            out = run(adapted.block(), false).toFloatArray();
            adapted.mergeAndUnload();
        }
        float[] merged = run(block, false).toFloatArray();
        for (int i = 0; i < out.length; i++) {
            assertThat(out[i]).isCloseTo(merged[i], within(4 * ROUNDING));
        }
        assertThat(out).isNotEqualTo(base);
        block.writeArchive(temporary.resolve("merged.pt"));
        TorchScriptBlock written = TorchScriptBlock.load(temporary.resolve("merged.pt"), manager);
        assertThat(run(written, false).toFloatArray()).containsExactly(merged);
    }

    @Test
    void everyPartOfAnAdapterGetsAGradientFromDjlsLoss() throws IOException {
        try (AdaptedModel adapted = adapted(load());
                GradMode on = GradMode.enabled()) {
            adapted.adapter()
                    .parameters()
                    .values()
                    .forEach(p -> p.getArray().setRequiresGradient(true));
            NDArray labels = manager.create(new float[] {0, 1, 2, 1});
            NDArray out = run(adapted.block(), true);
            Gradients.backward(
                    Loss.softmaxCrossEntropyLoss().evaluate(new NDList(labels), new NDList(out)));
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, p) -> {
                                float norm = p.getArray().getGradient().abs().sum().getFloat();
                                assertThat(norm).as(key).isPositive().isFinite();
                            });
        }
    }

    @Test
    void djlsOwnParameterFileIsRefusedBeforeAnythingEnds() throws IOException {
        TorchScriptBlock block = load();
        DataOutputStream target = new DataOutputStream(new ByteArrayOutputStream());
        assertThatThrownBy(() -> block.saveParameters(target))
                .isInstanceOf(UnsupportedDtypeException.class)
                .hasMessageContaining("DJL's own format has no bfloat16");
    }

    @Test
    void inputsOfAnotherTypeAreLibtorchsErrorAndNothingElse() throws IOException {
        TorchScriptBlock block = load();
        NDArray wide = manager.ones(new Shape(4, 6));
        ParameterStore store = new ParameterStore(manager, false);
        assertThatThrownBy(() -> block.forward(store, new NDList(wide), false))
                .isInstanceOf(ai.djl.engine.EngineException.class)
                .hasMessageContaining("dtype");
    }
}
