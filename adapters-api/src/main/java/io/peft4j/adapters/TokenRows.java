package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Some rows of a table of entries (V, D) that an adapter trains itself: PEFT's {@code
 * trainable_token_indices}. W' is W with these rows in the place of its own.
 *
 * <p>PEFT calls the tensor a delta, but it holds the rows as they are, in the order of the indices.
 */
final class TokenRows implements AdapterState {

    /** What PEFT calls the rows below the embedding. */
    static final String KEY = "token_adapter.trainable_tokens_delta";

    private static final TextModule KERNELS = TextModule.resource(TokenRows.class, "tokens.ts");

    private final List<Integer> indices;
    private final boolean transposed;
    private final Parameter rows;

    /** The indices (n). */
    private final NDArray index;

    /** For each entry of the table its place among the rows, or -1 (V). */
    private final NDArray places;

    /**
     * Copies rows of a table.
     *
     * @param table an embedding or an output head that owns its weight
     * @param indices the entries, distinct and within the table
     * @param owner the manager of the copy
     */
    TokenRows(BaseWeight table, List<Integer> indices, NDManager owner) {
        this.indices = List.copyOf(indices);
        transposed = table.site().transposed();
        long entries = table.site().shape().get(0);
        long[] ids = indices.stream().mapToLong(Integer::longValue).toArray();
        long[] inverse = new long[Math.toIntExact(entries)];
        Arrays.fill(inverse, -1);
        for (int i = 0; i < ids.length; i++) {
            inverse[(int) ids[i]] = i;
        }
        index = Tensors.of(owner, ids, new Shape(ids.length));
        places = Tensors.of(owner, inverse, new Shape(entries));
        rows =
                Parameter.builder()
                        .setName("trainable_tokens_delta")
                        .setType(Parameter.Type.WEIGHT)
                        .optShape(new Shape(ids.length, table.site().shape().get(1)))
                        .optInitializer(
                                (m, s, type) -> KERNELS.call(m, "rows", table.array(), index))
                        .build();
        rows.initialize(owner, DataType.FLOAT32);
    }

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of(KEY, rows);
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        String method = transposed ? "replaced_columns" : "replaced_rows";
        NDArray own = store.getValue(rows, weight.getDevice(), training);
        return KERNELS.call(weight.getManager(), method, weight, index, own);
    }

    @Override
    public NDArray embeddingUpdate(
            NDArray ids, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        NDArray own = store.getValue(rows, ids.getDevice(), training);
        return KERNELS.call(base.getManager(), "looked_up", ids, base, places, own);
    }

    @Override
    public NDArray tiedUpdate(
            NDArray h, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        NDArray own = store.getValue(rows, h.getDevice(), training);
        return KERNELS.call(h.getManager(), "projected", h, base, index, own);
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return tiedUpdate(x, base, weight, store, training); // a head's table is no other
    }

    @Override
    public boolean computesInBaseType() {
        return true;
    }

    /** Tells whether both train a row of one number. */
    boolean overlaps(TokenRows other) {
        return !Collections.disjoint(indices, other.indices);
    }

    @Override
    public void close() {
        rows.close();
        index.close();
        places.close();
    }
}
