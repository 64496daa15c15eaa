package io.peft4j.torchscript;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.LowRankUpdate;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.ScriptModule;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Forward passes: what adapters change is put into the module, the module computes, and it is taken
 * out again, so that between passes the module is the plain one and holds no graph.
 */
final class Pass {

    private final ScriptModule module;
    private final ModuleCopies copies;
    private final List<Parameter> weights = new ArrayList<>();
    private final List<NDArray> plain = new ArrayList<>();
    private final List<Parameter> updated = new ArrayList<>();
    private final NDArray nothing;
    private final Map<Double, NDArray> numbers = new ConcurrentHashMap<>();
    private final ReadWriteLock state = new ReentrantReadWriteLock();

    Pass(ScriptModule module, ModuleCopies copies, Surgery surgery, Map<String, Parameter> byPath) {
        this.module = module;
        this.copies = copies;
        for (TorchScriptWeight weight : surgery.weights()) {
            Parameter parameter = Objects.requireNonNull(byPath.get(weight.path()));
            weights.add(parameter);
            plain.add(parameter.getArray());
        }
        for (TorchScriptWeight weight : surgery.updated()) {
            updated.add(Objects.requireNonNull(byPath.get(weight.path())));
        }
        nothing = plain.get(0).getManager().create(new Shape(0), DataType.FLOAT32);
    }

    NDList run(ParameterStore store, NDList inputs, boolean training) {
        NDManager owner = inputs.head().getManager();
        Device device = inputs.head().getDevice();
        try (NDManager scope = owner.newSubManager()) {
            Set<Parameter> done = new HashSet<>();
            List<NDArray> updates = updates(store, scope, device, training, done);
            List<NDArray> values = values(store, device, training, done);
            if (updates.isEmpty() && values.isEmpty()) {
                return plain(owner, inputs, training);
            }
            ScriptModule copy = training ? null : copies.take();
            if (copy != null) {
                try {
                    return changed(owner, copy, updates, values, inputs, false);
                } finally {
                    copies.giveBack(copy);
                }
            }
            state.writeLock().lock();
            try {
                return changed(owner, module, updates, values, inputs, training);
            } finally {
                state.writeLock().unlock();
            }
        }
    }

    private NDList plain(NDManager owner, NDList inputs, boolean training) {
        state.readLock().lock();
        try {
            return widened(owner, module.forward(inputs, training));
        } finally {
            state.readLock().unlock();
        }
    }

    private NDList changed(
            NDManager owner,
            ScriptModule by,
            List<NDArray> updates,
            List<NDArray> values,
            NDList inputs,
            boolean training) {
        try {
            if (!updates.isEmpty()) {
                by.set(Surgery.SET_UPDATES, updates);
            }
            if (!values.isEmpty()) {
                by.set(Surgery.SET_WEIGHTS, values);
            }
            return widened(owner, by.forward(inputs, training));
        } finally {
            if (!updates.isEmpty()) {
                by.set(Surgery.CLEAR_UPDATES, List.of());
            }
            if (!values.isEmpty()) {
                by.set(Surgery.SET_WEIGHTS, plain);
            }
        }
    }

    /**
     * DJL cannot compute with bfloat16, and ends the process where it tries to, as in a softmax.
     */
    private static NDList widened(NDManager owner, NDList outputs) {
        for (int i = 0; i < outputs.size(); i++) {
            NDArray narrow = outputs.get(i);
            if (BFloat16.isBFloat16(narrow)) {
                NDArray wide = Tensors.float32(owner, narrow);
                wide.setName(narrow.getName());
                outputs.set(i, wide);
                narrow.close();
            }
        }
        return outputs;
    }

    /** What {@link Surgery#SET_UPDATES} takes, or nothing if no layer has an update. */
    private List<NDArray> updates(
            ParameterStore store,
            NDManager scope,
            Device device,
            boolean training,
            Set<Parameter> done) {
        List<NDArray> all = new ArrayList<>();
        for (Parameter weight : updated) {
            List<LowRankUpdate> updates =
                    AdaptedModel.isChanged(store, weight)
                            ? AdaptedModel.lowRankUpdates(store, weight, device, training)
                            : null;
            if (updates != null && updates.size() == 1) {
                done.add(weight);
                addTo(all, updates.get(0), scope, training);
            } else {
                all.addAll(Collections.nCopies(LinearForms.SLOTS, nothing));
            }
        }
        return done.isEmpty() ? List.of() : all;
    }

    private void addTo(List<NDArray> all, LowRankUpdate update, NDManager scope, boolean training) {
        all.add(update.a());
        all.add(update.b());
        all.add(number(update.scaling()));
        LowRankUpdate.Gain gain = update.gain();
        if (gain == null) {
            all.add(nothing);
        } else {
            NDArray factor = gain.magnitude().div(gain.norm()); // both tensors: no Java number
            factor.attach(scope);
            all.add(factor);
        }
        all.add(training && update.dropout() > 0 ? number(update.dropout()) : nothing);
    }

    private NDArray number(double value) {
        return numbers.computeIfAbsent(
                value,
                key ->
                        Tensors.of(
                                nothing.getManager(), new float[] {key.floatValue()}, new Shape()));
    }

    /** What {@link Surgery#SET_WEIGHTS} takes, or nothing if no other weight is changed. */
    private List<NDArray> values(
            ParameterStore store, Device device, boolean training, Set<Parameter> done) {
        List<NDArray> values = new ArrayList<>(plain);
        boolean any = false;
        for (int i = 0; i < values.size(); i++) {
            Parameter weight = weights.get(i);
            if (!done.contains(weight) && AdaptedModel.isChanged(store, weight)) {
                values.set(i, store.getValue(weight, device, training));
                any = true;
            }
        }
        return any ? values : List.of();
    }
}
