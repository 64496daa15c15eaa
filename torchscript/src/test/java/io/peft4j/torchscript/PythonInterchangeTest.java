package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.torch.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What Java writes loads in Java again. With {@code -Dpeft4j.interchange=DIR} it is left there for
 * {@code check_torchscript.py}, which loads it in Python.
 */
class PythonInterchangeTest {

    @TempDir Path temporary;

    @ParameterizedTest
    @CsvSource({
        "bert, model, bert_lora",
        "bert, model, bert_dora",
        "bert_half, model, bert_half_lora",
        "net, '', net_dora",
        "forms, '', forms_dora",
    })
    void whatIsWrittenLoads(String archive, String root, String name) throws Exception {
        String left = System.getProperty("peft4j.interchange");
        Path directory = left == null ? temporary : Path.of(left);
        Path folder = Files.createDirectories(directory.resolve(name));
        try (Model model = Model.newInstance(name, "PyTorch")) {
            NDManager manager = model.getNDManager();
            PeftGolden golden = new PeftGolden(manager, name);
            TorchScriptBlock block =
                    TorchScriptBlock.load(PeftGolden.archive(archive), root, manager);
            float[] out;
            try (AdaptedModel adapted = Adapters.load(block, golden.directory)) {
                golden.all("step5")
                        .forEach(
                                (key, value) ->
                                        Tensors.copy(
                                                value,
                                                adapted.adapter()
                                                        .parameters()
                                                        .get(key)
                                                        .getArray()));
                adapted.save(folder.resolve("adapter"));
                out = run(adapted.block(), golden);
                write(folder.resolve("out.safetensors"), golden, out);
            }
            try (AdaptedModel again = Adapters.load(block, folder.resolve("adapter"))) {
                assertThat(run(again.block(), golden)).containsExactly(out);
                again.mergeAndUnload();
            }
            block.writeArchive(folder.resolve("merged.pt"));
            AdaptedPassTest.resave(folder.resolve("merged.pt"), folder.resolve("resaved.pt"));
            TorchScriptBlock merged =
                    TorchScriptBlock.load(folder.resolve("resaved.pt"), root, manager);
            assertThat(run(merged, golden)).containsExactly(run(block, golden));
        }
    }

    private static float[] run(ai.djl.nn.Block block, PeftGolden golden) {
        NDManager manager = golden.get("labels").getManager();
        NDArray out =
                block.forward(new ParameterStore(manager, false), golden.inputs(), false)
                        .singletonOrThrow();
        return Tensors.toFloats(out);
    }

    private static void write(Path file, PeftGolden golden, float[] out) throws Exception {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        tensors.put(
                "out",
                TensorSources.ofFloats(Dtype.F32, out, golden.get("out").getShape().getShape()));
        int i = 0;
        for (NDArray input : golden.inputs()) {
            long[] shape = input.getShape().getShape();
            tensors.put(
                    "in." + i++,
                    input.getDataType().isInteger()
                            ? TensorSources.ofLongs(Dtype.I64, input.toLongArray(), shape)
                            : TensorSources.ofFloats(Dtype.F32, Tensors.toFloats(input), shape));
        }
        SafetensorsWriter.write(file, tensors);
    }
}
