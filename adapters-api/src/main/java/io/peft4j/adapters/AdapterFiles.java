package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.text.StrictJson;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** PEFT's directory format: {@code adapter_config.json} and {@code adapter_model.safetensors}. */
final class AdapterFiles {

    static final String CONFIG = "adapter_config.json";
    static final String TENSORS = "adapter_model.safetensors";

    private static final String PREFIX = "base_model.model.";
    private static final int CONFIG_BYTES = 1 << 20;
    private static final int CONFIG_DEPTH = 8;

    private AdapterFiles() {}

    /** PEFT's name of a tensor that all sites share. */
    static String sharedKey(String key) {
        return "base_model." + key;
    }

    /** What PEFT's names of a module's tensors begin with. */
    static String prefix(String module) {
        return module.isEmpty() ? PREFIX : PREFIX + module + ".";
    }

    static PeftConfig readConfig(Path directory) throws IOException {
        Path file = directory.resolve(CONFIG);
        try {
            JsonElement json = StrictJson.read(file, CONFIG_BYTES, CONFIG_DEPTH);
            if (!json.isJsonObject()) {
                throw new AdapterConfigException(file + ": expected a JSON object, found " + json);
            }
            return new PeftConfig(file.toString(), json.getAsJsonObject());
        } catch (NoSuchFileException e) {
            throw new NoSuchFileException(
                    directory.toString(), null, "not an adapter directory: it has no " + CONFIG);
        }
    }

    static void save(
            Path directory,
            PeftConfig config,
            Map<String, Parameter> shared,
            List<Attachment> attachments,
            Provenance provenance)
            throws IOException {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        shared.forEach((key, parameter) -> tensors.put(key, source(parameter)));
        for (Attachment attachment : attachments) {
            attachment
                    .parameters()
                    .forEach((key, parameter) -> tensors.put(key, source(parameter)));
            attachment
                    .tiedCopies()
                    .forEach(
                            (key, copy) ->
                                    tensors.put(
                                            key,
                                            TensorSources.ofFloats(
                                                    Dtype.F32, copy.values(), copy.shape())));
        }
        write(directory, config, tensors, provenance);
    }

    /** Writes an adapter's files, all of them or, on an error, none. */
    static void write(
            Path directory,
            PeftConfig config,
            Map<String, TensorSource> tensors,
            @Nullable Provenance provenance)
            throws IOException {
        Files.createDirectories(directory);
        Map<Path, AtomicFiles.ChannelWriter> files = new LinkedHashMap<>();
        files.put(
                directory.resolve(TENSORS),
                SafetensorsWriter.writer(
                        directory.resolve(TENSORS), tensors, SafetensorsWriter.PYTORCH));
        byte[] json = text(config).getBytes(StandardCharsets.UTF_8);
        files.put(
                directory.resolve(CONFIG),
                channel -> {
                    ByteBuffer bytes = ByteBuffer.wrap(json);
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                });
        if (provenance != null) {
            ProvenanceFile.add(files, directory, provenance);
        }
        AtomicFiles.writeTogether(files);
    }

    private static TensorSource source(Parameter parameter) {
        return TensorSources.ofFloats(
                Dtype.F32, parameter.getArray().toFloatArray(), parameter.getShape().getShape());
    }

    /** PEFT's own layout: sorted keys, two spaces. */
    private static String text(PeftConfig config) {
        JsonObject sorted = new JsonObject();
        new TreeMap<>(config.json().asMap()).forEach(sorted::add);
        return new GsonBuilder()
                .setPrettyPrinting()
                .disableHtmlEscaping()
                .serializeNulls()
                .create()
                .toJson(sorted);
    }

    /** Copies the saved tensors into the parameters, all of them or, on an error, none. */
    static LoadReport load(
            SavedAdapter saved,
            Map<String, Parameter> shared,
            List<Attachment> attachments,
            boolean strict)
            throws IOException {
        Map<String, Parameter> parameters = new LinkedHashMap<>(shared);
        attachments.forEach(attachment -> parameters.putAll(attachment.parameters()));
        CompanionTensors companions = new CompanionTensors(attachments, parameters);
        LoadReport report = compare(saved, parameters, companions);
        if (!report.mismatched().isEmpty() || (strict && !report.isComplete())) {
            throw new AdapterMismatchException(saved.source(), report, parameters.keySet());
        }
        Map<Parameter, float[]> values = new LinkedHashMap<>();
        for (Map.Entry<String, Parameter> entry : parameters.entrySet()) {
            if (saved.contains(entry.getKey())) {
                values.put(entry.getValue(), saved.values(entry.getKey()));
            }
        }
        companions.compareBase(saved);
        values.forEach(AdapterFiles::fill);
        return report;
    }

    static SafetensorsFile openTensors(Path directory) throws IOException {
        Path file = directory.resolve(TENSORS);
        Path pickle = directory.resolve("adapter_model.bin");
        if (!Files.exists(file) && Files.exists(pickle)) {
            return SafetensorsFile.open(pickle); // refuses it, and says how to convert it
        }
        try {
            return SafetensorsFile.open(file);
        } catch (NoSuchFileException e) {
            throw new NoSuchFileException(
                    directory.toString(), null, "not an adapter directory: it has no " + TENSORS);
        }
    }

    private static LoadReport compare(
            SavedAdapter saved, Map<String, Parameter> parameters, CompanionTensors companions)
            throws IOException {
        LoadReport.Builder report = new LoadReport.Builder();
        for (Map.Entry<String, Parameter> entry : parameters.entrySet()) {
            SavedAdapter.Tensor found = saved.tensors().get(entry.getKey());
            Shape expected = entry.getValue().getShape();
            if (found == null) {
                report.missing(entry.getKey());
            } else if (!new Shape(found.shape()).equals(expected)) {
                report.mismatched(
                        entry.getKey()
                                + " expected "
                                + expected
                                + " but was "
                                + new Shape(found.shape()));
            }
        }
        for (String name : saved.tensors().keySet()) {
            if (!parameters.containsKey(name) && !companions.contains(name)) {
                report.unexpected(name);
            }
        }
        companions.compareCopies(saved, report);
        return report.build();
    }

    private static void fill(Parameter parameter, float[] values) {
        NDArray array = parameter.getArray();
        try (NDArray copy = array.getManager().create(values, array.getShape())) {
            Tensors.copy(copy, array);
        }
    }
}
