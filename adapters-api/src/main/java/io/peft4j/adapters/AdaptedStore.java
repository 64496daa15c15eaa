package io.peft4j.adapters;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterServer;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Answers the effective weight where a block asks for an adapted parameter: the one place where
 * adapters take effect, so that any block that reads its parameters from the store is adapted.
 *
 * <pre>
 *   block ── getValue(W) ──▶ AdaptedStore ── getValue(W), getValue(A), … ──▶ the Trainer's store
 *         ◀── W' ──────────
 * </pre>
 *
 * <p>{@link AdaptedLinear}, {@link AdaptableLinear} and {@link AdaptableEmbedding} ask for their
 * result instead, which spares making W'. A store serves one forward pass of one thread, and each
 * effective weight is computed once in it.
 */
final class AdaptedStore extends ParameterStore {

    private final ParameterStore inner;
    private final ActiveSet active;
    private final NDManager owner;
    private final IdentityHashMap<Object, NDArray> effective = new IdentityHashMap<>();
    private final Set<Object> read = Collections.newSetFromMap(new IdentityHashMap<>());

    /**
     * Creates a store.
     *
     * @param inner the store that holds all values
     * @param active the adapters in effect
     * @param owner the manager of the effective weights; it lives as long as the forward pass
     */
    AdaptedStore(ParameterStore inner, ActiveSet active, NDManager owner) {
        super(inner.getManager(), false);
        this.inner = inner;
        this.active = active;
        this.owner = owner;
    }

    /** Tells whether a weight was asked for in one of its uses. */
    boolean wasRead(Object use) {
        return read.contains(use);
    }

    @Override
    public @Nullable NDArray getValue(
            @Nullable Parameter parameter, Device device, boolean training) {
        if (parameter == null) {
            return inner.getValue(null, device, training);
        }
        List<Attachment> attachments = active.at(parameter);
        if (attachments == null) {
            return frozen(parameter, device, training);
        }
        return effectiveWeight(parameter, parameter, attachments, device, training);
    }

    private NDArray effectiveWeight(
            Object use,
            Parameter parameter,
            List<Attachment> attachments,
            Device device,
            boolean training) {
        read.add(use);
        if (training) {
            attachments.forEach(AdaptedStore::requireNoDropout);
        }
        Object same = attachments.equals(active.at(parameter)) ? parameter : use;
        NDArray known = effective.get(same);
        if (known == null) {
            known = effectiveWeight(attachments, base(parameter, device, training), training);
            effective.put(same, known);
        }
        return known;
    }

    /** Reads a base weight as it is, below all adapters. */
    NDArray base(Parameter parameter, Device device, boolean training) {
        return inner.getValue(parameter, device, training);
    }

    /** A frozen base keeps its running statistics: training writes into a copy of them. */
    private NDArray frozen(Parameter parameter, Device device, boolean training) {
        NDArray value = base(parameter, device, training);
        return training && TorchNames.isStatistic(parameter) ? Tensors.clone(owner, value) : value;
    }

    private NDArray effectiveWeight(
            List<Attachment> attachments, NDArray weight, boolean training) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray sum = sum(attachments, weight, inner, scope, training);
            sum.attach(owner);
            return sum;
        }
    }

    /** W + Σ (W'ᵢ − W) over the adapters of one weight, all as it is stored, in the scope. */
    static NDArray sum(
            List<Attachment> attachments,
            NDArray weight,
            ParameterStore store,
            NDManager scope,
            boolean training) {
        NDArray sum = null;
        for (Attachment attachment : attachments) {
            BaseWeight base = attachment.weight();
            NDArray matrix = base.matrix(scope, weight);
            NDArray one = attachment.state().effectiveWeight(matrix, store, training);
            one.attach(scope);
            NDArray stored = base.stored(scope, one);
            sum = sum == null ? stored : sum.add(stored.sub(weight));
        }
        return Objects.requireNonNull(sum);
    }

    /**
     * Applies a linear layer with its adapters: x · W'ᵀ + b', x (…, in), of x's manager.
     *
     * @param use the weight itself, or the module that is tied to its owner
     */
    NDArray linear(
            Object use, Parameter weight, @Nullable Parameter bias, NDArray x, boolean training) {
        Device device = x.getDevice();
        NDArray w = base(weight, device, training);
        NDArray b = bias == null ? null : getValue(bias, device, training);
        List<Attachment> attachments = active.at(use, weight);
        if (attachments.isEmpty()) {
            return Linear.linear(x, w, b).singletonOrThrow();
        }
        read.add(use);
        try (NDManager scope = x.getManager().newSubManager()) {
            NDArray y = Linear.linear(x, w).singletonOrThrow();
            y.attach(scope);
            NDArray base = y;
            for (Attachment attachment : attachments) {
                NDArray update = linearUpdate(attachment, scope, x, base, w, training);
                if (update == null) {
                    NDArray whole = effectiveWeight(use, weight, attachments, device, training);
                    return Linear.linear(x, whole, b).singletonOrThrow();
                }
                update.attach(scope);
                y = y.add(update);
            }
            y = b == null ? y : y.addi(b);
            y.attach(x.getManager());
            return y;
        }
    }

    /** An embedding's adapter has its own form for a linear layer that is tied to it. */
    private @Nullable NDArray linearUpdate(
            Attachment attachment,
            NDManager scope,
            NDArray x,
            NDArray base,
            NDArray w,
            boolean training) {
        AdapterState state = attachment.state();
        return switch (attachment.weight().site().kind()) {
            case LINEAR -> state.linearUpdate(x, base, w, inner, training);
            case EMBEDDING ->
                    attachment.reachesTies()
                            ? state.tiedUpdate(
                                    x, base, attachment.weight().matrix(scope, w), inner, training)
                            : null;
            default -> null;
        };
    }

    /** Looks up an embedding's rows with its adapters: ids (…), INT64, gives (…, D). */
    NDArray embedding(
            Parameter weight,
            NDManager target,
            NDArray ids,
            EmbeddingLookup lookup,
            boolean training) {
        Device device = ids.getDevice();
        List<Attachment> attachments = active.at(weight);
        if (attachments == null) {
            return lookup.rows(target, ids, base(weight, device, training));
        }
        read.add(weight);
        try (NDManager scope = target.newSubManager()) {
            NDArray table = base(weight, device, training);
            NDArray matrix = attachments.get(0).weight().matrix(scope, table);
            NDArray rows = lookup.rows(scope, ids, table);
            NDArray y = rows;
            for (Attachment attachment : attachments) {
                boolean embedding = attachment.weight().site().kind() == Site.Kind.EMBEDDING;
                NDArray update =
                        embedding
                                ? attachment
                                        .state()
                                        .embeddingUpdate(ids, rows, matrix, inner, training)
                                : null;
                if (update == null) {
                    NDArray whole = getValue(weight, device, training);
                    return lookup.rows(target, ids, Objects.requireNonNull(whole));
                }
                update.attach(scope);
                y = y.add(update);
            }
            y.attach(target);
            return y;
        }
    }

    /** Looks up rows of a table. */
    interface EmbeddingLookup {
        NDArray rows(NDManager owner, NDArray ids, NDArray table);
    }

    private static void requireNoDropout(Attachment attachment) {
        if (attachment.state().dropout() > 0) {
            throw new IllegalStateException(
                    attachment.path()
                            + " is reached through its weight only, as when a lambda holds the"
                            + " layer, where dropout "
                            + attachment.state().dropout()
                            + " cannot act on the input; train it without dropout");
        }
    }

    @Override
    public void setParameterServer(ParameterServer parameterServer, Device[] devices) {
        inner.setParameterServer(parameterServer, devices);
    }

    @Override
    public void updateAllParameters() {
        inner.updateAllParameters();
    }

    @Override
    public NDManager getManager() {
        return inner.getManager();
    }

    @Override
    public void sync() {
        inner.sync();
    }
}
