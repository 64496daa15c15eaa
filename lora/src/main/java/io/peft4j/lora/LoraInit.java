package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.PeftConfig;
import java.util.Locale;
import java.util.Set;

/**
 * How the factors of a new adapter start, PEFT's {@code init_lora_weights}. All but embeddings obey
 * it: an embedding's A is zero and its B normal with deviation 1.
 *
 * <p>{@link #PISSA}, {@link #pissa} and {@link #OLORA} start from parts of the weight W that the
 * adapter is to train: A and B make up that part, s B A. PEFT takes it off the base model's weight.
 * Here the base stays as it is and the adapter remembers where it started, A₀ and B₀: \(W' = W - s
 * B_0 A_0 + s B A\), which is the same. A saved adapter holds A and B and the name of the
 * initialisation, and whoever loads it finds A₀ and B₀ anew in the base model's weights: so does
 * PEFT, so does this library. Other programs do not; {@link LoraConversion#toPlain} makes an
 * adapter for them.
 */
public final class LoraInit {

    /**
     * A Kaiming uniform with \(a = \sqrt 5\), which is \(U(-1/\sqrt{in}, 1/\sqrt{in})\), and B
     * zero: PEFT's {@code true}.
     */
    public static final LoraInit DEFAULT = new LoraInit(true, false, LoraInit::uniform);

    /** A normal with standard deviation 1/rank, and B zero. */
    public static final LoraInit GAUSSIAN = new LoraInit("gaussian", false, LoraInit::gaussian);

    /**
     * A and B random, from different halves of one orthogonal basis of the rank's space, so that B
     * A is zero but for rounding. The rank must be even; not for convolutions.
     */
    public static final LoraInit ORTHOGONAL =
            new LoraInit("orthogonal", false, InitialFactors::orthogonal);

    /**
     * The principal singular vectors of the weight (Meng et al., PiSSA: Principal Singular Values
     * and Singular Vectors Adaptation, arXiv:2404.02948); not for convolutions.
     */
    public static final LoraInit PISSA = new LoraInit("pissa", true, InitialFactors::pissa);

    /**
     * The first columns of Q and rows of R, W = Q R (Büyükakyüz, OLoRA: Orthonormal Low-Rank
     * Adaptation, arXiv:2406.01775); not for convolutions.
     */
    public static final LoraInit OLORA = new LoraInit("olora", true, InitialFactors::olora);

    /** Values of PEFT that change adapters only: a saved adapter fits any base. */
    private static final Set<String> NOT_OURS_BUT_PLAIN = Set.of("false", "\"eva\"");

    private static final String NEAR = "pissa_niter_";
    private static final String SEEDED = "seeded_";

    private final Object peftValue;
    private final boolean startsFromWeight;
    private final Start start;

    private LoraInit(Object peftValue, boolean startsFromWeight, Start start) {
        this.peftValue = peftValue;
        this.startsFromWeight = startsFromWeight;
        this.start = start;
    }

    /** Makes A (rank, in) and B (out, rank) in the scope. */
    private interface Start {
        NDList make(NDManager scope, NDArray weight, int rank, double scaling, long seed);
    }

    /**
     * PiSSA with an approximate decomposition, which is much faster for large weights (Halko et
     * al., arXiv:0909.4061). Its random numbers are the same at each call, or a saved adapter's
     * start could not be found again.
     *
     * <p>PEFT's {@code pissa_niter_N} draws others each time, so that an adapter which PEFT saved
     * that way cannot be put on the base again by anyone, and is refused. One of ours is saved as
     * {@code seeded_pissa_niter_N}, which PEFT refuses instead of computing something else; {@link
     * LoraConversion#toPlain} makes an adapter for PEFT.
     *
     * @param iterations how often the weight is applied to sharpen the subspace; 4 to 16 are usual
     * @return the initialisation
     */
    public static LoraInit pissa(int iterations) {
        if (iterations < 0) {
            throw new AdapterConfigException(
                    "PiSSA's iterations must be at least 0, but are " + iterations);
        }
        return new LoraInit(
                SEEDED + NEAR + iterations,
                true,
                (scope, weight, rank, scaling, seed) ->
                        InitialFactors.near(scope, weight, rank, scaling, iterations));
    }

    /**
     * Tells whether adapters start from a part of the weight, and not from a change of zero.
     *
     * @return whether {@link LoraConversion#toPlain} has something to convert
     */
    public boolean startsFromWeight() {
        return startsFromWeight;
    }

    boolean takesConvolutions() {
        return equals(DEFAULT) || equals(GAUSSIAN);
    }

    /** Makes A (rank, in) and B (out, rank) in the scope, from the weight (out, in). */
    NDList start(NDManager scope, NDArray weight, int rank, double scaling, long seed) {
        long most = Math.min(weight.getShape().get(0), weight.getShape().get(1));
        if (startsFromWeight && rank > most) {
            throw new AdapterConfigException(
                    "init "
                            + this
                            + " takes the rank from the weight "
                            + weight.getShape()
                            + ", which has at most "
                            + most
                            + ", but r is "
                            + rank);
        }
        return start.make(scope, weight, rank, scaling, seed);
    }

    private static NDList uniform(NDManager m, NDArray w, int rank, double scaling, long seed) {
        long in = w.getShape().get(1);
        double bound = 1 / Math.sqrt((double) in);
        NDArray a = Draws.uniform(m, new Shape(rank, in), bound, seed);
        return new NDList(a, m.zeros(new Shape(w.getShape().get(0), rank)));
    }

    private static NDList gaussian(NDManager m, NDArray w, int rank, double scaling, long seed) {
        NDArray a = Draws.normal(m, new Shape(rank, w.getShape().get(1)), 1.0 / rank, seed);
        return new NDList(a, m.zeros(new Shape(w.getShape().get(0), rank)));
    }

    /** The value of {@code init_lora_weights}. */
    Object peftValue() {
        return peftValue;
    }

    /** Reads {@code init_lora_weights}. */
    static LoraInit read(PeftConfig peft) {
        if (!peft.has("init_lora_weights")) {
            return DEFAULT;
        }
        String json = peft.json().get("init_lora_weights").toString();
        if (NOT_OURS_BUT_PLAIN.contains(json)) {
            return DEFAULT;
        }
        for (LoraInit init : Set.of(DEFAULT, GAUSSIAN, ORTHOGONAL, PISSA, OLORA)) {
            if (json.replace("\"", "").toLowerCase(Locale.ROOT).equals(init.toString())) {
                return init;
            }
        }
        String name = json.replace("\"", "");
        if (name.startsWith(SEEDED + NEAR) && isNumber(name.substring((SEEDED + NEAR).length()))) {
            return pissa(Integer.parseInt(name.substring((SEEDED + NEAR).length())));
        }
        if (name.startsWith(NEAR)) {
            throw new AdapterConfigException(
                    peft.source()
                            + ": \"init_lora_weights\": "
                            + json
                            + " took a random part off the base model, which is not in the files;"
                            + " save the adapter with PEFT's path_initial_model_for_weight_conversion");
        }
        peft.requireUnused("init_lora_weights", Set.of());
        throw new AssertionError("a value was expected to be refused: " + json);
    }

    private static boolean isNumber(String text) {
        return text.matches("[0-9]{1,4}");
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof LoraInit init && init.peftValue.equals(peftValue);
    }

    @Override
    public int hashCode() {
        return peftValue.hashCode();
    }

    /** PEFT's name of the initialisation. */
    @Override
    public String toString() {
        return peftValue.toString();
    }
}
