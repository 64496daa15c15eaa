package io.peft4j.safetensors;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.files.DespiteFailures;
import io.peft4j.files.SafePaths;
import io.peft4j.files.UnsafePathException;
import io.peft4j.safetensors.SafetensorsException.Reason;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint directory: {@code model.safetensors}, or {@code model.safetensors.index.json} and
 * the shards it names. Index and shards must agree on every tensor.
 */
public final class ShardedSafetensors implements TensorReader {

    private static final int MAX_INDEX_BYTES = 64_000_000;
    private static final int MAX_INDEX_DEPTH = 8;

    private final Path directory;
    private final List<SafetensorsFile> files;
    private final Map<String, SafetensorsFile> byTensor = new LinkedHashMap<>();

    private ShardedSafetensors(Path directory, List<SafetensorsFile> files) {
        this.directory = directory;
        this.files = files;
    }

    /**
     * Opens a model's checkpoint, {@code open(directory, "model")}.
     *
     * @param directory the directory
     * @return the open checkpoint; close it
     * @throws IOException as {@link #open(Path, String)}
     */
    public static ShardedSafetensors open(Path directory) throws IOException {
        return open(directory, "model");
    }

    /**
     * Opens a checkpoint.
     *
     * @param directory the directory
     * @param baseName the files' common name, such as {@code "model"}; {@code baseName.safetensors}
     *     is taken if it exists, else {@code baseName.safetensors.index.json}
     * @return the open checkpoint; close it
     * @throws SafetensorsException if there is neither, a shard is missing, index and shards
     *     disagree, or a file is no valid safetensors file
     * @throws UnsafePathException if the index names a file outside the directory
     * @throws IOException if reading fails
     */
    public static ShardedSafetensors open(Path directory, String baseName) throws IOException {
        Path single = SafePaths.resolve(directory, baseName + ".safetensors");
        Path index = SafePaths.resolve(directory, baseName + ".safetensors.index.json");
        ShardedSafetensors opened = new ShardedSafetensors(directory, new ArrayList<>());
        boolean valid = false;
        try {
            if (Files.exists(single)) {
                opened.add(SafetensorsFile.open(single));
            } else if (Files.exists(index)) {
                opened.addShards(index, readIndex(index));
            } else {
                throw noModel(directory, baseName);
            }
            valid = true;
            return opened;
        } finally {
            if (!valid) {
                opened.close();
            }
        }
    }

    private static SafetensorsException noModel(Path directory, String baseName)
            throws IOException {
        if (Files.isDirectory(directory)) {
            try (var entries = Files.newDirectoryStream(directory)) {
                for (Path entry : entries) {
                    if (PickleRefusal.hasPickleName(entry)) {
                        return PickleRefusal.refuse(entry);
                    }
                }
            }
        }
        return new SafetensorsException(
                Reason.NO_MODEL_FILE,
                directory,
                "expected "
                        + baseName
                        + ".safetensors or "
                        + baseName
                        + ".safetensors.index.json, found "
                        + (Files.isDirectory(directory) ? "neither" : "no such directory"));
    }

    /** Returns tensor to shard. */
    private static Map<String, String> readIndex(Path index) throws IOException {
        JsonElement root;
        try {
            root = StrictJson.read(index, MAX_INDEX_BYTES, MAX_INDEX_DEPTH);
        } catch (StrictJsonException e) {
            throw new SafetensorsException(
                    Reason.INVALID_INDEX, index, "expected a shard index", e);
        }
        JsonElement map = root instanceof JsonObject object ? object.get("weight_map") : null;
        if (!(map instanceof JsonObject weightMap)) {
            throw new SafetensorsException(
                    Reason.INVALID_INDEX,
                    index,
                    "expected an object with an object \"weight_map\", found another JSON value");
        }
        Map<String, String> shards = new LinkedHashMap<>();
        for (Map.Entry<String, JsonElement> entry : weightMap.entrySet()) {
            if (!(entry.getValue() instanceof JsonPrimitive name && name.isString())) {
                throw new SafetensorsException(
                        Reason.INVALID_INDEX,
                        index,
                        "tensor \""
                                + entry.getKey()
                                + "\": expected a file name, found another value");
            }
            shards.put(entry.getKey(), name.getAsString());
        }
        return shards;
    }

    private void addShards(Path index, Map<String, String> shardOf) throws IOException {
        Map<String, List<String>> tensorsOf = new TreeMap<>();
        shardOf.forEach(
                (tensor, shard) ->
                        tensorsOf.computeIfAbsent(shard, s -> new ArrayList<>()).add(tensor));
        for (Map.Entry<String, List<String>> entry : tensorsOf.entrySet()) {
            Path path = SafePaths.resolve(directory, entry.getKey());
            if (!Files.exists(path)) {
                throw new SafetensorsException(
                        Reason.MISSING_SHARD,
                        index,
                        "expected the shard " + entry.getKey() + " beside it, found no such file");
            }
            SafetensorsFile shard = SafetensorsFile.open(path);
            add(shard);
            for (String tensor : entry.getValue()) {
                if (!shard.contains(tensor)) {
                    throw new SafetensorsException(
                            Reason.SHARD_MISMATCH,
                            index,
                            "tensor \""
                                    + tensor
                                    + "\": expected in "
                                    + entry.getKey()
                                    + ", found no such tensor there");
                }
            }
        }
        for (String tensor : byTensor.keySet()) {
            if (!shardOf.containsKey(tensor)) {
                throw new SafetensorsException(
                        Reason.SHARD_MISMATCH,
                        index,
                        "expected every tensor of the shards in weight_map, found none for \""
                                + tensor
                                + "\"");
            }
        }
    }

    private void add(SafetensorsFile file) throws SafetensorsException {
        files.add(file);
        for (String name : file.names()) {
            SafetensorsFile other = byTensor.put(name, file);
            if (other != null) {
                throw new SafetensorsException(
                        Reason.SHARD_MISMATCH,
                        file.path(),
                        "tensor \""
                                + name
                                + "\": expected in one shard, found in "
                                + other.path().getFileName()
                                + " too");
            }
        }
    }

    @Override
    public Path path() {
        return directory;
    }

    /**
     * Returns the open files.
     *
     * @return paths, in the order of their names
     */
    public List<Path> files() {
        return files.stream().map(SafetensorsFile::path).toList();
    }

    @Override
    public List<String> names() {
        return List.copyOf(byTensor.keySet());
    }

    @Override
    public Map<String, String> metadata() {
        return files.isEmpty() ? Map.of() : files.get(0).metadata();
    }

    @Override
    public @Nullable TensorInfo find(String name) {
        SafetensorsFile file = byTensor.get(name);
        return file == null ? null : file.find(name);
    }

    @Override
    public void read(TensorInfo tensor, long offset, ByteBuffer destination) throws IOException {
        SafetensorsFile file = byTensor.get(tensor.name());
        if (file == null) {
            throw new SafetensorsException(
                    Reason.WRONG_REQUEST,
                    directory,
                    "expected a tensor of this checkpoint, found \"" + tensor.name() + "\"");
        }
        file.read(tensor, offset, destination);
    }

    @Override
    public void close() throws IOException {
        DespiteFailures.each(files, SafetensorsFile::close);
    }
}
