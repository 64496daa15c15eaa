package io.peft4j.adapters;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterServer;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TextModule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
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

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def as_type_of(self, x: Tensor, like: Tensor) -> Tensor:
                        return torch.to(x, ops.prim.dtype(like))
                      # Added in the wider of the types, rounded once.
                      def plus(self, x: Tensor, update: Tensor) -> Tensor:
                        return torch.to(torch.add(x, update), ops.prim.dtype(x))
                    """);

    /** What was asked for; a model may ask on several devices. */
    private record Question(Object use, Device device, boolean training) {}

    private final ParameterStore inner;
    private final ActiveSet active;
    private final NDManager owner;
    private final boolean ownHandles;
    private final Map<Question, NDArray> answers = new HashMap<>();
    private final Set<Object> read = new HashSet<>();

    private AdaptedStore(
            ParameterStore inner, ActiveSet active, NDManager owner, boolean ownHandles) {
        super(inner.getManager(), false);
        this.inner = inner;
        this.active = active;
        this.owner = owner;
        this.ownHandles = ownHandles;
    }

    /**
     * Creates a store for blocks that do with their parameters what they like. Frozen parameters
     * get handles of this pass as well: DJL's IdEmbedding moves the handle it gets to another
     * manager for a while, which two threads must not do with one, and what a block computes as
     * {@code weight.op(x)} belongs to the handle's manager and would stay in the model for good.
     *
     * @param inner the store that holds all values
     * @param active the adapters in effect
     * @param owner the manager of all handles; it lives as long as the forward pass
     */
    static AdaptedStore forBlocks(ParameterStore inner, ActiveSet active, NDManager owner) {
        return new AdaptedStore(inner, active, owner, true);
    }

    /**
     * Creates a store for a model that is written for adapters.
     *
     * @param inner the store that holds all values
     * @param active the adapters in effect
     * @param owner the manager of the effective weights; it lives as long as the forward pass
     */
    static AdaptedStore forHost(ParameterStore inner, ActiveSet active, NDManager owner) {
        return new AdaptedStore(inner, active, owner, false);
    }

    /**
     * Creates a store for a model that is written for adapters, and gives the hold on them to the
     * manager of the inner store, which lives as long as the forward pass.
     *
     * @param inner the store that holds all values
     * @param active the adapters in effect, held
     */
    static AdaptedStore holding(ParameterStore inner, ActiveSet active) {
        NDManager owner = inner.getManager();
        if (!active.isEmpty()) {
            AutoCloseable hold = active::release;
            try {
                owner.attachInternal(UUID.randomUUID().toString(), hold);
            } catch (RuntimeException e) {
                active.release();
                throw e;
            }
        }
        return forHost(inner, active, owner);
    }

    /** Tells whether a weight was asked for in one of its uses. */
    boolean wasRead(Object use) {
        return read.contains(use);
    }

    /** Tells whether a parameter has adapters. */
    boolean isChanged(Parameter parameter) {
        return active.at(parameter) != null;
    }

    @Override
    public @Nullable NDArray getValue(
            @Nullable Parameter parameter, Device device, boolean training) {
        if (parameter == null) {
            return inner.getValue(null, device, training);
        }
        List<Attachment> attachments = active.at(parameter);
        if (attachments != null) {
            return effectiveWeight(parameter, parameter, attachments, device, training);
        }
        Question question = new Question(parameter, device, training);
        NDArray known = answers.get(question);
        if (known == null) {
            known = frozen(parameter, base(parameter, device, training), training);
            answers.put(question, known);
        }
        return known;
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
        Question question = new Question(same, device, training);
        NDArray known = answers.get(question);
        if (known == null) {
            known = effectiveWeight(attachments, base(parameter, device, training), training);
            answers.put(question, known);
        }
        return known;
    }

    /** Reads a base weight as it is, below all adapters. */
    NDArray base(Parameter parameter, Device device, boolean training) {
        return inner.getValue(parameter, device, training);
    }

    /** A frozen base keeps its running statistics: training writes into a copy of them. */
    private NDArray frozen(Parameter parameter, NDArray value, boolean training) {
        if (training && TorchNames.isStatistic(parameter)) {
            return Tensors.clone(owner, value);
        }
        if (!ownHandles) {
            return value;
        }
        NDArray handle = value.reshape(value.getShape());
        handle.attach(owner);
        return handle;
    }

    private NDArray effectiveWeight(
            List<Attachment> attachments, NDArray weight, boolean training) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray sum = sum(attachments, float32(scope, weight), inner, scope, training);
            if (!isFloat32(weight)) {
                sum = KERNELS.call(scope, "as_type_of", sum, weight);
            }
            sum.attach(owner);
            return sum;
        }
    }

    private static NDArray float32(NDManager scope, NDArray weight) {
        if (isFloat32(weight)) {
            return weight;
        }
        NDArray wide = scope.create(weight.getShape(), DataType.FLOAT32);
        Tensors.copy(weight, wide);
        return wide;
    }

    private static boolean isFloat32(NDArray array) {
        return array.getDataType() == DataType.FLOAT32;
    }

    /**
     * C(W) + Σ (W'ᵢ − W) over the adapters of one weight, all as it is stored, in the scope: C is
     * what those that compose make of it one after the other, the sum is over the rest.
     */
    static NDArray sum(
            List<Attachment> attachments,
            NDArray weight,
            ParameterStore store,
            NDManager scope,
            boolean training) {
        NDArray sum = weight;
        for (Attachment attachment : attachments) {
            if (attachment.state().composes()) {
                sum = alone(attachment, sum, store, scope, training);
            }
        }
        for (Attachment attachment : attachments) {
            if (!attachment.state().composes()) {
                NDArray one = alone(attachment, weight, store, scope, training);
                sum = sum == weight ? one : sum.add(one.sub(weight));
            }
        }
        return sum;
    }

    private static NDArray alone(
            Attachment attachment,
            NDArray weight,
            ParameterStore store,
            NDManager scope,
            boolean training) {
        BaseWeight base = attachment.weight();
        NDArray matrix = base.matrix(scope, weight);
        NDArray one = attachment.state().effectiveWeight(matrix, store, training);
        one.attach(scope);
        return base.stored(scope, one);
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
        NDArray b = bias == null ? null : addend(bias, device, training);
        List<Attachment> attachments = active.at(use, weight);
        if (attachments.isEmpty()) {
            return Linear.linear(x, w, b).singletonOrThrow();
        }
        if (needsWhole(attachments, w)) {
            NDArray whole = effectiveWeight(use, weight, attachments, device, training);
            return Linear.linear(x, whole, b).singletonOrThrow();
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
                y = plus(scope, y, update);
            }
            y = b == null ? y : y.addi(b);
            y.attach(x.getManager());
            return y;
        }
    }

    /** A fast form is of the base alone: not of what another adapter has made of it. */
    private static boolean needsWhole(List<Attachment> attachments, NDArray weight) {
        boolean composed =
                attachments.size() > 1 && attachments.stream().anyMatch(a -> a.state().composes());
        boolean narrow =
                !isFloat32(weight)
                        && attachments.stream().anyMatch(a -> !a.state().computesInBaseType());
        return composed || narrow;
    }

    /** The sum of what the base gives and a state's update of it, in the base's type. */
    private static NDArray plus(NDManager scope, NDArray y, NDArray update) {
        return isFloat32(y) ? y.add(update) : KERNELS.call(scope, "plus", y, update);
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

    /** The number of weights that adapters change, in each of their uses. */
    int changedWeights() {
        return active.all().size();
    }

    /** What all that adapters change is computed from. */
    List<Parameter> sources() {
        return active.sources();
    }

    /**
     * Tells what adapters add to a linear layer; null if they do something else to it, or to its
     * bias.
     *
     * @param use as in {@link #linear}
     */
    @Nullable List<LowRankUpdate> lowRankUpdates(
            Object use,
            Parameter weight,
            @Nullable Parameter bias,
            Device device,
            boolean training) {
        if (bias != null && active.at(bias) != null) {
            return null;
        }
        List<Attachment> attachments = active.at(use, weight);
        List<LowRankUpdate> updates = new ArrayList<>(attachments.size());
        NDArray w = base(weight, device, training);
        for (Attachment attachment : attachments) {
            boolean linear = attachment.weight().site().kind() == Site.Kind.LINEAR;
            LowRankUpdate update =
                    linear ? attachment.state().lowRankUpdate(w, inner, training) : null;
            if (update == null) {
                return null;
            }
            updates.add(update);
        }
        read.add(use);
        return updates;
    }

    private @Nullable NDArray addend(Parameter bias, Device device, boolean training) {
        return active.at(bias) == null
                ? base(bias, device, training)
                : getValue(bias, device, training);
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
        NDArray table = base(weight, device, training);
        if (needsWhole(attachments, table)) {
            NDArray whole = getValue(weight, device, training);
            return lookup.rows(target, ids, Objects.requireNonNull(whole));
        }
        read.add(weight);
        try (NDManager scope = target.newSubManager()) {
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
                y = plus(scope, y, update);
            }
            y.attach(target);
            return y;
        }
    }

    /** Looks up rows of a table. */
    interface EmbeddingLookup {
        NDArray rows(NDManager owner, NDArray ids, NDArray table);
    }

    /** Embeddings have no input to drop from, in PEFT neither. */
    private static void requireNoDropout(Attachment attachment) {
        boolean embedding = attachment.weight().site().kind() == Site.Kind.EMBEDDING;
        if (attachment.state().dropout() > 0 && !embedding) {
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
