package io.peft4j.torchscript;

import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.Site;
import io.peft4j.torch.ScalarType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A floating-point weight of a TorchScript archive.
 *
 * @param module the path of the module that has it, which is empty for the archive's root
 * @param name its name there, such as {@code weight}
 * @param moduleClass the module's class, such as {@code Linear}
 * @param shape its shape as it is stored
 * @param type the type of its elements
 * @param kind what it is used for, or null if no adapter method fits, as for a bias
 * @param transposed whether it is stored (in, out), as an embedding's or a {@code Conv1D}'s
 * @param tiedTo paths of weights that share its memory
 * @param obstacle why it cannot be changed by an adapter, or null if it can
 */
public record TorchScriptWeight(
        String module,
        String name,
        String moduleClass,
        Shape shape,
        ScalarType type,
        Site.@Nullable Kind kind,
        boolean transposed,
        List<String> tiedTo,
        @Nullable String obstacle) {

    /** Copies the list. */
    public TorchScriptWeight {
        tiedTo = List.copyOf(tiedTo);
    }

    /**
     * Returns the weight's name in PyTorch.
     *
     * @return such as {@code encoder.layer.0.output.dense.weight}
     */
    public String path() {
        return module.isEmpty() ? name : module + "." + name;
    }

    /**
     * Tells whether an adapter can attach to it.
     *
     * @return whether its kind is known and nothing is in the way
     */
    public boolean isAdaptable() {
        return kind != null && obstacle == null;
    }
}
