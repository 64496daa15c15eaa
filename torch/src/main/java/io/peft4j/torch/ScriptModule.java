package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A TorchScript archive that libtorch has loaded, with its parameters as plain arrays that a graph
 * for backward can keep.
 *
 * <p>The graph executor's optimiser is off, as for a {@link TextModule} and for the same reason.
 *
 * <p>A module has one state: who calls {@link #set} must see to it that nobody computes meanwhile.
 */
public final class ScriptModule implements AutoCloseable {

    private static final String LIST = "tensors[]";

    private final PtSymbolBlock block;
    private final Map<String, NDArray> parameters = new LinkedHashMap<>();
    private boolean closed;

    private ScriptModule(PtSymbolBlock block) {
        this.block = block;
        for (Pair<String, Parameter> parameter : block.getDirectParameters()) {
            parameters.put(parameter.getKey(), parameter.getValue().getArray());
        }
        block.freezeParameters(true);
        // libtorch loads for inference, and DJL believes that it is training
        JniUtils.enableTrainingMode(block);
    }

    /**
     * Loads an archive.
     *
     * @param owner the manager of the module and its parameters, which says on which device
     * @param file the archive
     * @return the module
     * @throws ai.djl.engine.EngineException if libtorch does not accept it
     */
    public static ScriptModule load(NDManager owner, Path file) {
        String[] none = {};
        return new ScriptModule(
                JniUtils.loadModule((PtNDManager) owner, file, true, none, none, true));
    }

    /**
     * Returns the parameters.
     *
     * @return by name, such as {@code encoder.0.weight}; frozen, of the module's own memory
     */
    public Map<String, NDArray> parameters() {
        return parameters;
    }

    /**
     * Calls a method that takes a list of tensors and returns a tensor of no account, with their
     * history.
     *
     * @param owner any manager
     * @param method the method's name
     * @param tensors the list; may be empty if the method takes none
     */
    public void set(NDManager owner, String method, List<NDArray> tensors) {
        NDList inputs = new NDList(tensors);
        List<@Nullable String> names = new ArrayList<>();
        try (NDArray name = owner.zeros(new Shape(1))) {
            for (NDArray tensor : tensors) {
                names.add(tensor.getName());
                tensor.setName(LIST);
            }
            name.setName("module_method:" + method);
            inputs.add(name);
            JniUtils.setGraphExecutorOptimize(false);
            IValueUtils.forward(block, inputs, true).close();
        } finally {
            for (int i = names.size() - 1; i >= 0; i--) { // backwards: one may be there twice
                tensors.get(i).setName(names.get(i));
            }
        }
    }

    /**
     * Computes.
     *
     * @param inputs the inputs, as DJL gives them to a TorchScript model
     * @param training whether the module is in its training mode and gradients may be asked for
     * @return the outputs
     */
    public NDList forward(NDList inputs, boolean training) {
        ParameterStore none = new ParameterStore(inputs.head().getManager(), false);
        JniUtils.setGraphExecutorOptimize(false);
        return block.forward(none, inputs, training);
    }

    /** Frees the module; a second call does nothing. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            parameters.values().forEach(NDArray::close);
            block.close();
        }
    }
}
