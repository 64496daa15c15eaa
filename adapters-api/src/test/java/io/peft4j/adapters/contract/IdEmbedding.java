package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Embedding;
import java.util.Optional;

/** DJL's embedding, looked up by number. */
final class IdEmbedding extends Embedding<Long> {

    IdEmbedding(int entries, int dimension) {
        super(new Builder().optNumEmbeddings(entries).setEmbeddingSize(dimension));
    }

    @Override
    public boolean hasItem(Long item) {
        return item >= 0 && item < numEmbeddings;
    }

    @Override
    public NDArray embed(NDManager manager, Long[] items) {
        throw new UnsupportedOperationException("give the numbers to forward");
    }

    @Override
    public byte[] encode(Long item) {
        throw new UnsupportedOperationException("the numbers are not saved");
    }

    @Override
    public Long decode(byte[] bytes) {
        throw new UnsupportedOperationException("the numbers are not saved");
    }

    @Override
    public long embed(Long item) {
        return item;
    }

    @Override
    public Optional<Long> unembed(long index) {
        return Optional.of(index);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return new Shape[] {inputs[0].add(embeddingSize)};
    }

    private static final class Builder extends Embedding.BaseBuilder<Long, Builder> {

        @Override
        protected Builder setType(Class<Long> type) {
            embeddingType = type;
            return this;
        }

        @Override
        protected Builder self() {
            return this;
        }
    }
}
