package io.peft4j.adapters;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBaseBlock;
import ai.djl.nn.Block;
import ai.djl.nn.BlockList;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.KeptBuffers;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The base block with its adapters in effect, for DJL's Trainer and Predictor. It shows the base's
 * children and parameters under their own names, and the adapters' parameters beside them.
 *
 * <p>A file of {@code Model.save} holds the base's bytes first, as without adapters, so that it
 * loads in the plain base model, and then the adapters' values, see {@link AdapterSection}. Loading
 * one into an adapted model keeps the adapters that are not in it.
 */
final class AdaptedBlock extends AbstractBaseBlock {

    private final Block base;
    private final Block entry;
    private final AdaptedModel model;

    /**
     * Wraps a base.
     *
     * @param base the base's root
     * @param entry what to call in its place: itself, unless it is a linear layer
     * @param model says which adapters are in effect
     */
    AdaptedBlock(Block base, Block entry, AdaptedModel model) {
        this.base = base;
        this.entry = entry;
        this.model = model;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        return adapted(
                store,
                inputs,
                training,
                adapted -> entry.forward(adapted, inputs, training, params));
    }

    /** With labels, as a Trainer calls it: a base may feed them in, and trains anyway. */
    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList data,
            NDList labels,
            @Nullable PairList<String, Object> params) {
        return adapted(store, data, true, adapted -> entry.forward(adapted, data, labels, params));
    }

    private NDList adapted(
            ParameterStore store,
            NDList inputs,
            boolean training,
            Function<ParameterStore, NDList> forward) {
        ActiveSet active = model.holdActive();
        NDManager owner = inputs.head().getManager();
        // effective weights go with the pass: what backward needs of them, its graph keeps;
        // a Predictor's threads record graphs unless told not to
        try (NDManager pass = owner.newSubManager();
                GradMode mode = training ? null : GradMode.asAskedFor();
                KeptBuffers kept = GradMode.isRecording() ? KeptBuffers.until(owner) : null) {
            AdaptedStore adapted = AdaptedStore.forBlocks(store, active, pass);
            NDList outputs = forward.apply(adapted);
            model.requireRead(active, adapted);
            for (NDArray output : outputs) {
                if (output.getManager() == pass) {
                    output.attach(owner);
                }
            }
            return outputs;
        } finally {
            active.release();
        }
    }

    /**
     * Freezes or unfreezes the active adapters. The base stays frozen, also when a Trainer of a
     * loaded model would unfreeze everything.
     */
    @Override
    public void freezeParameters(boolean freeze) {
        freezeParameters(freeze, parameter -> true);
    }

    @Override
    public void freezeParameters(boolean freeze, Predicate<Parameter> predicate) {
        ActiveSet active = model.holdChosen();
        try {
            for (Adapter adapter : active.adapters()) {
                adapter.parameters().values().stream()
                        .filter(predicate)
                        .filter(adapter::isTrainable)
                        .forEach(parameter -> parameter.freeze(freeze));
            }
        } finally {
            active.release();
        }
    }

    @Override
    public BlockList getChildren() {
        return base.getChildren();
    }

    @Override
    public ParameterList getDirectParameters() {
        ParameterList all = new ParameterList();
        all.addAll(base.getDirectParameters());
        all.addAll(adapterParameters());
        return all;
    }

    @Override
    public ParameterList getParameters() {
        ParameterList all = new ParameterList();
        all.addAll(base.getParameters());
        all.addAll(adapterParameters());
        return all;
    }

    private ParameterList adapterParameters() {
        ParameterList all = new ParameterList();
        for (Adapter adapter : model.adapters()) {
            adapter.parameters()
                    .forEach((key, parameter) -> all.add(adapter.name() + "." + key, parameter));
        }
        return all;
    }

    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... shapes) {
        BFloat16.requireUsable("a block's initialize", dataType);
        base.initialize(manager, dataType, shapes);
    }

    @Override
    public boolean isInitialized() {
        return base.isInitialized();
    }

    @Override
    public Shape[] getInputShapes() {
        return base.getInputShapes();
    }

    @Override
    public DataType[] getOutputDataTypes() {
        return base.getOutputDataTypes();
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return base.getOutputShapes(inputShapes);
    }

    @Override
    public PairList<String, Shape> describeInput() {
        return base.describeInput();
    }

    @Override
    public void saveParameters(DataOutputStream out) throws IOException {
        BFloat16.requireNone("a block's saveParameters", base.getParameters());
        synchronized (model) {
            model.requireUnmerged("saving the base with its adapters");
            base.saveParameters(out);
            AdapterSection.write(out, model.adapters());
        }
    }

    @Override
    public void loadParameters(NDManager manager, DataInputStream in)
            throws IOException, MalformedModelException {
        synchronized (model) {
            model.requireUnmerged("loading parameters");
            ModelFile.load(base, model.adapters(), manager, in);
        }
    }

    @Override
    public String toString() {
        return "adapted " + base;
    }
}
