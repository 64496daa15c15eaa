package io.peft4j.lora;

import java.util.Arrays;

/**
 * One module of a {@link PortableLora}: its update is B · A, without a factor.
 *
 * <p>The arrays are the module's own and not to be changed.
 */
public final class PortableModule {

    private final String path;
    private final boolean embedding;
    private final int rank;
    private final float[] a;
    private final float[] b;
    private final double keptEnergy;

    /**
     * Takes the factors.
     *
     * @param path the module's dotted path
     * @param embedding whether it is an embedding: in counts the entries, out is the dimension
     * @param rank the rank
     * @param a A (rank, in), row by row
     * @param b B (out, rank), row by row
     * @param keptEnergy the share of the squared change that the factors hold
     */
    PortableModule(
            String path, boolean embedding, int rank, float[] a, float[] b, double keptEnergy) {
        this.path = path;
        this.embedding = embedding;
        this.rank = rank;
        this.a = a;
        this.b = b;
        this.keptEnergy = keptEnergy;
    }

    /** Makes a module of a larger rank with the same update: what is added is zero. */
    PortableModule padded(int larger) {
        if (larger == rank) {
            return this;
        }
        float[] wideB = new float[out() * larger];
        for (int row = 0; row < out(); row++) {
            System.arraycopy(b, row * rank, wideB, row * larger, rank);
        }
        float[] longA = Arrays.copyOf(a, Math.multiplyExact(larger, in()));
        return new PortableModule(path, embedding, larger, longA, wideB, keptEnergy);
    }

    /**
     * Returns where it belongs.
     *
     * @return the dotted path
     */
    public String path() {
        return path;
    }

    /**
     * Tells embeddings from linear layers.
     *
     * @return whether it is an embedding
     */
    public boolean isEmbedding() {
        return embedding;
    }

    /**
     * Returns the rank.
     *
     * @return r
     */
    public int rank() {
        return rank;
    }

    /**
     * Returns the columns of A.
     *
     * @return in; an embedding's entries
     */
    public int in() {
        return a.length / rank;
    }

    /**
     * Returns the rows of B.
     *
     * @return out; an embedding's dimension
     */
    public int out() {
        return b.length / rank;
    }

    /**
     * Returns the down-projection.
     *
     * @return A (rank, in), row by row; not to be changed
     */
    public float[] a() {
        return a;
    }

    /**
     * Returns the up-projection, the adapter's scaling in it.
     *
     * @return B (out, rank), row by row; not to be changed
     */
    public float[] b() {
        return b;
    }

    /**
     * Tells what a cut to the rank has left.
     *
     * @return the squared Frobenius norm of B · A's share of the adapter's change, at most 1; 1 if
     *     nothing was cut
     */
    public double keptEnergy() {
        return keptEnergy;
    }
}
