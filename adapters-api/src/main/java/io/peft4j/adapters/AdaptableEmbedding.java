package io.peft4j.adapters;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.djl.util.Preconditions;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.TextModule;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A table of embeddings that asks for its adapters' fast form: the rows of W, or of W' below an
 * {@link AdaptedModel}.
 *
 * <p>Shapes: ids (…), INT64; W (entries, dimension); result (…, dimension).
 */
public final class AdaptableEmbedding extends AbstractBlock {

    private static final byte VERSION = 1;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def rows(self, ids: Tensor, table: Tensor) -> Tensor:
                        return torch.embedding(table, ids)
                    """);

    private final Parameter weight;
    private final long dimension;
    private volatile List<String> tiedTo;

    /**
     * Creates a table, not initialised.
     *
     * @param entries the number of rows
     * @param dimension the length of a row
     * @param tiedTo the paths of modules that use the same weight by {@link #project}; an {@link
     *     AdaptableLinear} that is tied to this table needs no mention
     */
    public AdaptableEmbedding(long entries, long dimension, List<String> tiedTo) {
        super(VERSION);
        Preconditions.checkArgument(
                entries > 0 && dimension > 0,
                "an embedding needs entries, but was (" + entries + ", " + dimension + ")");
        this.dimension = dimension;
        this.tiedTo = List.copyOf(tiedTo);
        weight =
                addParameter(
                        Parameter.builder()
                                .setName("weight")
                                .setType(Parameter.Type.WEIGHT)
                                .optShape(new Shape(entries, dimension))
                                .build());
    }

    /**
     * Returns the base table.
     *
     * @return W (entries, dimension)
     */
    public Parameter weight() {
        return weight;
    }

    Site site(String path) {
        return new Site(path, Site.Kind.EMBEDDING, weight.getShape(), true, false, tiedTo);
    }

    /**
     * Looks up rows.
     *
     * @param owner the manager of the result
     * @param ids the entries (…), INT64
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return the rows (…, dimension)
     */
    public NDArray rows(NDManager owner, NDArray ids, ParameterStore store, boolean training) {
        if (store instanceof AdaptedStore adapted) {
            return adapted.embedding(weight, owner, ids, AdaptableEmbedding::rows, training);
        }
        return rows(owner, ids, store.getValue(weight, ids.getDevice(), training));
    }

    private static NDArray rows(NDManager owner, NDArray ids, NDArray table) {
        return KERNELS.call(owner, "rows", ids, table);
    }

    /**
     * Uses the table as the weight of an output head, \(Y = XW^T\). An adapter on the embedding
     * changes the embedding alone, as in PEFT, unless it is kept tied; trained rows reach both.
     *
     * @param x the hidden states (…, dimension)
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return the logits (…, entries), of x's manager
     */
    public NDArray project(NDArray x, ParameterStore store, boolean training) {
        if (store instanceof AdaptedStore adapted) {
            return adapted.linear(this, weight, null, x, training);
        }
        NDArray w = store.getValue(weight, x.getDevice(), training);
        return Linear.linear(x, w).singletonOrThrow();
    }

    /**
     * Tells what the adapters in effect add to {@link #project}.
     *
     * @param store as in {@link AdaptableLinear#lowRankUpdates}
     * @param device where the pass runs
     * @param training whether dropout is on and gradients will be asked for
     * @return as {@link AdaptableLinear#lowRankUpdates}
     */
    public @Nullable List<LowRankUpdate> projectUpdates(
            ParameterStore store, Device device, boolean training) {
        return store instanceof AdaptedStore adapted
                ? adapted.lowRankUpdates(this, weight, null, device, training)
                : List.of();
    }

    /**
     * Says that no module uses the table by {@link #project} any more, as when the output head gets
     * a copy of its own.
     */
    public void untie() {
        tiedTo = List.of();
    }

    List<String> tiedTo() {
        return tiedTo;
    }

    /** {@inheritDoc} */
    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
        BFloat16.requireUsable("AdaptableEmbedding.initialize", dataType);
        super.initialize(manager, dataType, inputShapes);
    }

    /** {@inheritDoc} */
    @Override
    public void saveParameters(DataOutputStream os) throws IOException {
        BFloat16.requireNone("AdaptableEmbedding.saveParameters", getParameters());
        super.saveParameters(os);
    }

    /** {@inheritDoc} */
    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray ids = inputs.singletonOrThrow();
        return new NDList(rows(ids.getManager(), ids, parameterStore, training));
    }

    /** {@inheritDoc} */
    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {inputShapes[0].add(dimension)};
    }
}
