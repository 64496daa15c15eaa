package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of one adapter at one site, and the effective weight they stand for.
 *
 * <p>The arrays that a method returns belong to the manager of its first operand; intermediates do
 * not outlive the call. What a graph for backward may keep is made in native memory, see {@link
 * io.peft4j.torch.Tensors}.
 */
public interface AdapterState extends AutoCloseable {

    /**
     * Returns the trainable parameters, float32.
     *
     * @return the parameters by PEFT's tensor key below the site, such as {@code lora_A.weight}, in
     *     a stable order
     */
    Map<String, Parameter> parameters();

    /**
     * Computes the effective weight, in the plainest form of the method.
     *
     * @param weight the frozen weight W as a matrix (out, in), float32
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return W' (out, in), float32, differentiable in the parameters
     */
    NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training);

    /**
     * Computes what the adapter adds to a linear layer's output, {@code x · (W' − W)ᵀ}, with the
     * method's dropout in training and without making W'. It must equal what {@link
     * #effectiveWeight} gives.
     *
     * <p>Input, base and weight are float32, or of another type if {@link #computesInBaseType} is
     * true. The update may have their type or float32.
     *
     * @param x the input (…, in)
     * @param base the output of the frozen layer without its bias, x · Wᵀ (…, out)
     * @param weight the frozen weight W (out, in)
     * @param store where parameters are read from
     * @param training whether dropout is on and gradients will be asked for
     * @return the update (…, out), or null if the method has no such form
     */
    default @Nullable NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return null;
    }

    /**
     * Tells what {@link #linearUpdate} computes as numbers, for models that compute a layer and its
     * adapters together and write their backward by hand. The arrays are the state's own.
     *
     * @param weight the frozen weight W (out, in)
     * @param store where parameters are read from
     * @param training whether dropout is on and gradients will be asked for
     * @return the update, or null if it has no such form
     */
    default @Nullable LowRankUpdate lowRankUpdate(
            NDArray weight, ParameterStore store, boolean training) {
        return null;
    }

    /**
     * Computes what the adapter adds to an embedding's output, the rows of (W' − W)ᵀ for some
     * entries, without making W'. It must equal what {@link #effectiveWeight} gives.
     *
     * @param ids the entries (…), INT64
     * @param base the rows of the frozen table (…, out)
     * @param weight the frozen weight as a matrix (out, in): the table transposed
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return the update (…, out), or null if the method has no such form
     */
    default @Nullable NDArray embeddingUpdate(
            NDArray ids, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return null;
    }

    /**
     * Computes what the adapter adds to the output of an output head that is tied to an adapted
     * embedding, {@code h · (W' − W)}, without making W'. It must equal what {@link
     * #effectiveWeight} gives. It is asked of states that are to reach ties only.
     *
     * @param h the head's input (…, out)
     * @param base the output of the frozen head, h · W (…, in)
     * @param weight the frozen weight as the embedding's matrix W (out, in): the table transposed
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return the update (…, in), or null if the method has no such form
     */
    default @Nullable NDArray tiedUpdate(
            NDArray h, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return null;
    }

    /**
     * Writes what {@link #effectiveWeight} gives over the frozen weight, without making it whole.
     *
     * @param weight the frozen weight as a matrix (out, in), of any floating-point type, whose
     *     memory it is
     * @param store where parameters are read from
     * @param write false to compute what would change, and leave the weight as it is
     * @return what changed; null if the method has no such form for this state
     */
    default @Nullable WeightChange mergeInto(NDArray weight, ParameterStore store, boolean write) {
        return null;
    }

    /**
     * Tells whether the adapter changes the bias of the module, if it has one, by the same function
     * as its weight: {@link #effectiveWeight} is then asked for b' as well, with the bias as a
     * matrix (out, 1). So does a method that scales a layer's outputs, as (IA)³.
     *
     * @return false, unless the method says otherwise
     */
    default boolean changesBias() {
        return false;
    }

    /**
     * Tells whether such adapters that are active together act one on what the other gives, as
     * factors do, {@code W' = f2(f1(W))}. Otherwise their changes of the frozen weight add. Of both
     * kinds on one weight, the changes of the second are added to what the first give.
     *
     * @return false, unless the method says otherwise
     */
    default boolean composes() {
        return false;
    }

    /**
     * Tells whether the fast forms take a base of any floating-point type: float32, float16,
     * bfloat16 or float64. The parameters are float32 all the same. DJL's own operations on
     * bfloat16 may end the process (see {@link io.peft4j.torch.BFloat16}), so these forms are
     * kernels of {@link io.peft4j.torch.TextModule} that turn the parameters to the input's type; a
     * gradient comes back in float32. If false, a base that is not float32 gets the effective
     * weight, computed in float32 and rounded once.
     *
     * @return false, unless the method says otherwise
     */
    default boolean computesInBaseType() {
        return false;
    }

    /**
     * Returns what PEFT saves of an embedding's adapter under the linear layer that is tied to the
     * embedding, with {@code ensure_weight_tying}.
     *
     * @return tensor keys below the linear layer, such as {@code lora_A.weight}, and the key of
     *     {@link #parameters} that each holds the transpose of; empty if the method cannot be kept
     *     tied
     */
    default Map<String, String> tiedKeys() {
        return Map.of();
    }

    /**
     * Returns the probability of dropping an input in training. Dropout needs the layer's input, so
     * it exists in {@link #linearUpdate} only; elsewhere such a state is refused.
     *
     * @return 0, unless the method has dropout
     */
    default double dropout() {
        return 0;
    }

    /**
     * Returns the rank, for methods that have one.
     *
     * @return the rank
     */
    default OptionalInt rank() {
        return OptionalInt.empty();
    }

    /**
     * Returns the factor of the adapter's update, for methods that have one.
     *
     * @return the scaling
     */
    default OptionalDouble scaling() {
        return OptionalDouble.empty();
    }

    /**
     * Is told that the frozen weight has other values than when the state was made, as when a
     * checkpoint is loaded below the adapter. Whatever was computed from it must be computed again.
     *
     * @param weight the frozen weight as a matrix (out, in), float32; gone after the call
     */
    default void weightChanged(NDArray weight) {}

    /** Frees the parameters; a second call does nothing. */
    @Override
    void close();
}
