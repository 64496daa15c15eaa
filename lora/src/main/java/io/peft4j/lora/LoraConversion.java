package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterState;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.util.Map;
import java.util.Objects;

/**
 * Makes a plain adapter of one that started from parts of the base model's weights, such as
 * PiSSA's: the same function, for programs that know nothing of the start.
 *
 * <pre>{@code
 * LoraConversion.toPlain(model, "default", "plain").save(directory);
 * }</pre>
 *
 * <p>The plain adapter has twice the rank, \([B, -B_0] \cdot [A; A_0]\), and the same scaling. It
 * is what PEFT writes with {@code path_initial_model_for_weight_conversion}. Trained further, it
 * also moves A₀ and B₀.
 */
public final class LoraConversion {

    private LoraConversion() {}

    /**
     * Adds the plain adapter to the model. It is not active until it is activated.
     *
     * @param model the model that has the adapter, not merged
     * @param name an adapter of LoRA or DoRA with an init that {@linkplain
     *     LoraInit#startsFromWeight starts from the weight}
     * @param plainName a new name
     * @return the plain adapter
     * @throws IllegalArgumentException if there is nothing to convert; nothing has changed
     */
    public static Adapter toPlain(AdaptedModel model, String name, String plainName) {
        Adapter adapter = model.adapter(name);
        if (!(adapter.config() instanceof LowRankConfig config)
                || !config.init().startsFromWeight()) {
            throw new IllegalArgumentException(
                    "adapter "
                            + name
                            + " did not start from a part of the weights, so it is plain already");
        }
        Adapter plain = model.add(plainName, config.plain());
        Map<String, Parameter> targets = plain.parameters();
        Map<String, AdapterState> states = adapter.states();
        try (GradMode off = GradMode.disabled()) {
            adapter.parameters()
                    .forEach(
                            (key, source) -> {
                                Parameter target = Objects.requireNonNull(targets.get(key));
                                if (target.getShape().equals(source.getShape())) {
                                    Tensors.copy(source.getArray(), target.getArray());
                                }
                            });
            plain.states()
                    .forEach(
                            (path, state) -> {
                                if (state instanceof LowRankState twice) {
                                    LowRankState once =
                                            (LowRankState) Objects.requireNonNull(states.get(path));
                                    fill(once.pair(), twice.pair());
                                }
                            });
        }
        return plain;
    }

    private static void fill(LowRankPair once, LowRankPair twice) {
        NDArray a = twice.a().getArray();
        NDArray b = twice.b().getArray();
        try (NDManager scope = a.getManager().newSubManager()) {
            ParameterStore store = new ParameterStore(scope, false);
            NDList factors = once.factors(scope, a.getDevice(), store, false);
            Tensors.copy(padded(scope, factors.get(0), a, 0), a);
            Tensors.copy(padded(scope, factors.get(1), b, 1), b);
        }
    }

    /** An embedding has no start; zeros bring it to the rank that the config says. */
    private static NDArray padded(NDManager scope, NDArray factor, NDArray target, int axis) {
        long missing = target.getShape().get(axis) - factor.getShape().get(axis);
        if (missing == 0) {
            return factor;
        }
        long[] shape = factor.getShape().getShape();
        shape[axis] = missing;
        NDArray zeros = scope.zeros(new Shape(shape));
        NDArray padded = NDArrays.concat(new NDList(factor, zeros), axis);
        padded.attach(scope);
        return padded;
    }
}
