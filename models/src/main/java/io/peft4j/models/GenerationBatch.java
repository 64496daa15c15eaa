package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.RowAdapters;
import io.peft4j.torch.GradMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Texts that grow together: their last tokens stand in one column. */
final class GenerationBatch {

    private final CausalLm model;
    private final List<GenerationRow> given;
    private final RotaryScaling scaling;
    private List<GenerationRow> rows; // as they are computed: those of one adapter together
    private int length;

    GenerationBatch(CausalLm model, List<GenerationRow> rows) {
        this.model = model;
        this.given = rows;
        this.rows = rows;
        scaling = model.block().architecture().rotary().scaling();
        length = rows.stream().mapToInt(GenerationRow::length).max().orElseThrow();
    }

    /**
     * Runs until all texts have ended. A text that has ended before goes on with its last token.
     */
    void run() {
        List<String> names = new ArrayList<>();
        for (GenerationRow row : given) {
            String adapter = row.adapter();
            if (adapter != null) {
                names.add(adapter);
            }
        }
        try (RowAdapters adapters = names.isEmpty() ? null : model.block().rowAdapters(names)) {
            if (adapters != null) {
                rows = adapters.order().stream().map(given::get).toList();
            }
            run(adapters);
        }
    }

    private void run(@Nullable RowAdapters adapters) {
        int capacity =
                length
                        + rows.stream()
                                .mapToInt(row -> row.capacity() - row.length())
                                .max()
                                .orElseThrow();
        int[] first = rows.stream().mapToInt(row -> length - row.length()).toArray();
        boolean padded = Arrays.stream(first).anyMatch(column -> column > 0);
        try (GradMode off = GradMode.disabled();
                NDManager scope = model.manager().newSubManager();
                KeyValueCache cache =
                        new KeyValueCache(
                                scope,
                                model.block().architecture(),
                                WeightTypes.of(model.computeDtype()),
                                rows.size(),
                                capacity)) {
            while (rows.stream().anyMatch(row -> !row.isEnded())) {
                step(scope, cache, padded ? first : null, adapters);
                length++;
                if (scaling.regime(length) != scaling.regime(cache.length())) {
                    cache.clear(); // all keys were rotated by frequencies that are now others
                }
            }
        }
    }

    private void step(
            NDManager scope,
            KeyValueCache cache,
            int @Nullable [] first,
            @Nullable RowAdapters adapters) {
        try (NDManager step = scope.newSubManager()) {
            NDArray ids = step.create(ids(cache.length() == 0), shape(cache.length() == 0));
            NDArray tokens = first == null ? null : step.create(tokens(first), shape(true));
            Weights weights = model.weights(step, adapters);
            NDArray last = model.block().lastLogits(step, weights, ids, tokens, cache);
            float[] logits = last.toFloatArray();
            int size = logits.length / rows.size();
            for (int i = 0; i < rows.size(); i++) {
                if (!rows.get(i).isEnded()) {
                    rows.get(i).append(Arrays.copyOfRange(logits, i * size, (i + 1) * size));
                }
            }
        }
    }

    private Shape shape(boolean whole) {
        return new Shape(rows.size(), whole ? length : 1);
    }

    private long[] ids(boolean whole) {
        int columns = whole ? length : 1;
        long[] ids = new long[rows.size() * columns];
        for (int i = 0; i < rows.size(); i++) {
            if (whole) {
                rows.get(i).copyTo(ids, (i + 1) * columns);
            } else {
                ids[i] = rows.get(i).last();
            }
        }
        return ids;
    }

    /** 0 for padding and 1 for tokens, (B, length). */
    private long[] tokens(int[] first) {
        long[] tokens = new long[rows.size() * length];
        for (int i = 0; i < rows.size(); i++) {
            Arrays.fill(tokens, i * length + first[i], (i + 1) * length, 1);
        }
        return tokens;
    }
}
