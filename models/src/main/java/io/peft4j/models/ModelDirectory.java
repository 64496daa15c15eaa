package io.peft4j.models;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.peft4j.files.AtomicFiles;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes a model as a directory that Hugging Face's libraries read. */
final class ModelDirectory {

    /** What a model's directory may hold besides config and weights, and what is kept of it. */
    private static final List<String> COMPANIONS =
            List.of(
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "tokenizer.model",
                    "special_tokens_map.json",
                    "added_tokens.json",
                    "vocab.json",
                    "merges.txt",
                    "chat_template.jinja",
                    "chat_template.json",
                    "generation_config.json",
                    "configuration_openelm.py",
                    "modeling_openelm.py",
                    "LICENSE");

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().serializeNulls().create();

    private ModelDirectory() {}

    static void write(
            Path directory,
            Dtype dtype,
            ModelConfig config,
            CheckpointLayout layout,
            Map<String, Parameter> parameters,
            @Nullable Path source)
            throws IOException {
        if (!dtype.isFloat()) {
            throw new IllegalArgumentException(
                    "expected a floating-point type for the weights, found " + dtype);
        }
        Files.createDirectories(directory);
        Map<Path, AtomicFiles.ChannelWriter> writers = new LinkedHashMap<>();
        writers.put(
                directory.resolve("config.json"), text(GSON.toJson(config.jsonWith(dtype)) + "\n"));
        if (source != null && !isSame(source, directory)) {
            for (String name : COMPANIONS) {
                Path file = source.resolve(name);
                if (Files.isRegularFile(file)) {
                    writers.put(directory.resolve(name), copy(file));
                }
            }
        }
        Map<String, Shape> shapes = new LinkedHashMap<>();
        parameters.forEach((name, parameter) -> shapes.put(name, parameter.getShape()));
        Map<String, ParameterSource> tensors = new LinkedHashMap<>();
        layout.tensors(shapes)
                .forEach(
                        (name, tensor) ->
                                tensors.put(name, ParameterSource.of(dtype, tensor, parameters)));
        Path weights = directory.resolve("model.safetensors");
        writers.put(weights, SafetensorsWriter.writer(weights, tensors, SafetensorsWriter.PYTORCH));
        AtomicFiles.writeTogether(writers);
    }

    private static boolean isSame(Path source, Path directory) throws IOException {
        return Files.isDirectory(source) && Files.isSameFile(source, directory);
    }

    private static AtomicFiles.ChannelWriter text(String content) {
        ByteBuffer bytes = ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8));
        return channel -> {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        };
    }

    private static AtomicFiles.ChannelWriter copy(Path file) {
        return target -> {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                long size = channel.size();
                long at = 0;
                while (at < size) {
                    long count = channel.transferTo(at, size - at, target);
                    if (count <= 0) {
                        throw new IOException(
                                file + ": expected " + size + " bytes, found the end at " + at);
                    }
                    at += count;
                }
            }
        };
    }
}
