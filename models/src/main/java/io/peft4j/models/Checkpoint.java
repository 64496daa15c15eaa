package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorInfo;
import io.peft4j.safetensors.TensorReader;
import io.peft4j.torch.ElementTransfer;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Compares a checkpoint's tensors with the model's, and copies them in. */
final class Checkpoint {

    private static final int LISTED = 20;

    private Checkpoint() {}

    /**
     * Checks names, types and shapes, before any memory is taken.
     *
     * @param reader the checkpoint
     * @param expected the tensors by name
     * @param redundant tells which other tensors may be there
     * @throws CheckpointException if they differ; the message lists everything
     */
    static void requireFits(
            TensorReader reader,
            Map<String, StoredTensor> expected,
            Predicate<TensorInfo> redundant)
            throws CheckpointException {
        List<String> missing = new ArrayList<>();
        List<String> wrong = new ArrayList<>();
        expected.forEach(
                (name, tensor) -> {
                    Shape shape = tensor.shape();
                    TensorInfo found = reader.find(name);
                    if (found == null) {
                        missing.add(name);
                    } else if (!found.dtype().isFloat() || !hasShape(found, shape)) {
                        wrong.add(
                                name
                                        + ": expected floats "
                                        + Arrays.toString(shape.getShape())
                                        + ", found "
                                        + found.dtype()
                                        + " "
                                        + found.shape());
                    }
                });
        List<String> unexpected =
                reader.names().stream()
                        .filter(
                                name ->
                                        !expected.containsKey(name)
                                                && !isRedundant(reader.find(name), redundant))
                        .toList();
        if (!missing.isEmpty() || !wrong.isEmpty() || !unexpected.isEmpty()) {
            throw new CheckpointException(
                    reader.path()
                            + ": the tensors are not those of config.json"
                            + list("missing", missing)
                            + list("unexpected", unexpected)
                            + list("misshaped", wrong));
        }
    }

    /**
     * Copies every tensor, a few megabytes at a time: exactly where the parameter is as wide, else
     * rounded to the nearest value.
     *
     * @param reader the checkpoint
     * @param tensors its tensors by name
     * @param targets the parameters by name
     * @param manager owns what is needed meanwhile
     */
    static void copy(
            TensorReader reader,
            Map<String, StoredTensor> tensors,
            Map<String, NDArray> targets,
            NDManager manager)
            throws IOException {
        try (ElementTransfer transfer = new ElementTransfer(manager)) {
            for (Map.Entry<String, StoredTensor> entry : tensors.entrySet()) {
                TensorInfo tensor = reader.tensor(entry.getKey());
                ScalarType stored = WeightTypes.of(tensor.dtype());
                long begin = 0;
                for (String name : entry.getValue().parameters()) {
                    NDArray part = Objects.requireNonNull(targets.get(name), name);
                    long from = begin;
                    transfer.fill(
                            part,
                            stored,
                            (first, bytes) -> reader.read(tensor, from + first, bytes));
                    begin += part.size() * stored.bytes();
                }
            }
        }
    }

    /** Returns the type of all tensors, or F32 if they differ. */
    static Dtype commonDtype(TensorReader reader) {
        List<Dtype> dtypes =
                reader.names().stream()
                        .map(reader::find)
                        .map(tensor -> tensor == null ? Dtype.F32 : tensor.dtype())
                        .distinct()
                        .toList();
        return dtypes.size() == 1 ? dtypes.get(0) : Dtype.F32;
    }

    private static boolean isRedundant(
            @Nullable TensorInfo tensor, Predicate<TensorInfo> redundant) {
        return tensor != null && redundant.test(tensor);
    }

    private static boolean hasShape(TensorInfo tensor, Shape shape) {
        return Arrays.equals(
                tensor.shape().stream().mapToLong(Long::longValue).toArray(), shape.getShape());
    }

    private static String list(String what, List<String> names) {
        if (names.isEmpty()) {
            return "";
        }
        String listed = String.join(", ", names.subList(0, Math.min(LISTED, names.size())));
        return "; "
                + what
                + ": "
                + listed
                + (names.size() > LISTED ? " and " + (names.size() - LISTED) + " more" : "");
    }
}
