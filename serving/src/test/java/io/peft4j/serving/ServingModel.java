package io.peft4j.serving;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;

/** A tiny model of the goldens with an adapter on it. */
final class ServingModel implements AutoCloseable {

    private final CausalLm model;
    private final AdaptedModel adapted;

    private ServingModel(CausalLm model, AdaptedModel adapted) {
        this.model = model;
        this.adapted = adapted;
    }

    static ServingModel open(String family, Path adapter) throws IOException {
        CausalLm model = CausalLm.load(TestData.path("golden/" + family + "/model"), Device.cpu());
        try {
            return new ServingModel(model, Adapters.load(model.block(), adapter));
        } catch (IOException | RuntimeException e) {
            model.close();
            throw e;
        }
    }

    static ServingModel open(String family, String adapter) throws IOException {
        return open(family, TestData.path("golden/" + adapter));
    }

    CausalLm model() {
        return model;
    }

    AdaptedModel adapted() {
        return adapted;
    }

    /** The logits for the input of a golden file. */
    float[] logits(String golden) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(TestData.path("golden/" + golden));
                NDManager scope = model.manager().newSubManager()) {
            long[] shape =
                    file.tensor("input_ids").shape().stream().mapToLong(Long::longValue).toArray();
            return model.logits(
                            scope, scope.create(file.toLongs("input_ids"), new Shape(shape)), null)
                    .toFloatArray();
        }
    }

    ExportReport export(AdapterExport.Builder builder, Server server, Path directory)
            throws IOException {
        return builder.setServer(server).build().write(model, adapted.adapter(), directory);
    }

    @Override
    public void close() {
        adapted.close();
        model.close();
    }
}
