package io.peft4j.adapters;

import ai.djl.nn.core.Embedding;
import java.nio.ByteBuffer;
import java.util.Optional;

/** DJL's embedding of numbers. */
public final class PlainEmbedding extends Embedding<Integer> {

    public PlainEmbedding(int entries, int dimension) {
        super(new Settings().optNumEmbeddings(entries).setEmbeddingSize(dimension));
    }

    @Override
    public boolean hasItem(Integer item) {
        return item >= 0 && item < numEmbeddings;
    }

    @Override
    public byte[] encode(Integer item) {
        return ByteBuffer.allocate(Integer.BYTES).putInt(item).array();
    }

    @Override
    public Integer decode(byte[] bytes) {
        return ByteBuffer.wrap(bytes).getInt();
    }

    @Override
    public long embed(Integer item) {
        return item;
    }

    @Override
    public Optional<Integer> unembed(long index) {
        return Optional.of((int) index);
    }

    private static final class Settings extends BaseBuilder<Integer, Settings> {

        @Override
        protected Settings setType(Class<Integer> type) {
            embeddingType = type;
            return this;
        }

        @Override
        protected Settings self() {
            return this;
        }
    }
}
