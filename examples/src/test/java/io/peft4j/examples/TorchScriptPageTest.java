package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDList;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.testdata.TestData;
import io.peft4j.torchscript.TorchScriptBlockFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of docs/torchscript.md is the code below. */
class TorchScriptPageTest {

    @TempDir private Path directory;

    @Test
    void anArchiveFromAUrlIsAdapted() throws Exception {
        Path file = directory.resolve("encoder.zip");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            zip.putNextEntry(new ZipEntry("encoder.pt"));
            zip.write(Files.readAllBytes(TestData.path("golden/torchscript/encoder/encoder.pt")));
        }
        String url = file.toUri().toString();
        // example begins
        Criteria<NDList, NDList> criteria =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optEngine("PyTorch")
                        .optModelUrls(url) // a zip with the archive
                        .optArgument("blockFactory", TorchScriptBlockFactory.class.getName())
                        .optOption("hasParameter", "false")
                        .build();
        try (ZooModel<NDList, NDList> model = criteria.loadModel();
                AdaptedModel adapted =
                        Adapters.attach(
                                model.getWrappedModel(),
                                LoraConfig.builder()
                                        .setRank(8)
                                        .setTargetModules("query", "value")
                                        .build())) {
            // DJL's Trainer, EasyTrain and Predictor work on the model as on any other
            adapted.save(directory); // in PEFT's format
        }
        // example ends
        assertThat(directory.resolve("adapter_model.safetensors")).isNotEmptyFile();
    }
}
