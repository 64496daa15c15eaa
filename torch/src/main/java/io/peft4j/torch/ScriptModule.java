package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A TorchScript archive that libtorch has loaded, with its parameters as plain arrays that a graph
 * for backward can keep.
 *
 * <p>The graph executor's optimiser is off, as for a {@link TextModule} and for the same reason.
 *
 * <p>A module has one state: who calls {@link #set} must see to it that nobody computes meanwhile.
 */
public final class ScriptModule implements AutoCloseable {

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
     * Calls a method that takes a list of tensors, with their history, and returns what is of no
     * account.
     *
     * @param method the method's name
     * @param tensors the list; empty if the method takes none
     */
    public void set(String method, List<NDArray> tensors) {
        JniUtils.setGraphExecutorOptimize(false);
        if (tensors.isEmpty()) {
            IValueUtils.runMethod(block, method).close();
        } else {
            try (TorchValue list = TorchValue.of(tensors)) {
                IValueUtils.runMethod(block, method, list.value()).close();
            }
        }
    }

    /**
     * Takes the tensors of another copy of the archive in the place of its own, which are freed.
     *
     * @param owner any manager
     * @param get the name of the method that lists all tensors
     * @param set the name of the method that takes such a list
     * @param other the other copy
     */
    public void share(NDManager owner, String get, String set, ScriptModule other) {
        JniUtils.setGraphExecutorOptimize(false);
        try (NDManager scope = owner.newSubManager();
                TorchValue list = new TorchValue(IValueUtils.runMethod(other.block, get))) {
            set(set, list.tensors(scope));
        }
        parameters.values().forEach(NDArray::close);
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
