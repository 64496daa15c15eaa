package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.SavedAdapter;
import io.peft4j.adapters.TargetModules;
import io.peft4j.torch.GradMode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * An adapter as plain LoRA in the one form that every reader of PEFT's files understands alike:
 * each module's scaling is multiplied into its B, all modules have one rank, and alpha is that
 * rank, so that alpha / r, which some readers take for all modules, is 1.
 *
 * <p>LoRA of any settings is the same function: smaller ranks are filled up with zeros, and a pair
 * that started from a part of the weight, as PiSSA's, takes twice its rank. A method whose change
 * of a weight has full rank, as DoRA's, and LoRA of a larger rank are cut by a singular value
 * decomposition to the best approximation of the rank, and each module tells what is left.
 */
public final class PortableLora {

    private final int rank;
    private final List<PortableModule> modules;

    private PortableLora(int rank, List<PortableModule> modules) {
        this.rank = rank;
        this.modules = List.copyOf(modules);
    }

    /**
     * Tells which rank holds an adapter without loss.
     *
     * @param adapter an adapter, not deleted
     * @return the rank; empty if a change of full rank has none below the weights' own
     */
    public static OptionalInt exactRank(Adapter adapter) {
        int most = 1;
        for (AdapterState state : adapter.states().values()) {
            if (!(state instanceof LoraState lora)) {
                return OptionalInt.empty();
            }
            most = Math.max(most, ownRank(lora.pair()));
        }
        return OptionalInt.of(most);
    }

    private static int ownRank(LowRankPair pair) {
        return pair.startsFromWeight() ? 2 * pair.rank() : pair.rank();
    }

    /**
     * Computes the form of an adapter.
     *
     * @param adapter an adapter on its model, not merged
     * @param rank the rank of all modules, at least 1
     * @return the form
     * @throws IllegalArgumentException if the adapter changes what plain LoRA cannot: biases, saved
     *     modules, token rows, convolutions, or an embedding together with the head that is tied to
     *     it
     */
    public static PortableLora of(Adapter adapter, int rank) {
        if (rank < 1) {
            throw new IllegalArgumentException("the rank must be at least 1, but is " + rank);
        }
        SitesOnly.require(
                adapter, "which plain LoRA does not have", "merge it into the model instead");
        List<PortableModule> modules = new ArrayList<>();
        try (GradMode off = GradMode.disabled()) {
            for (Map.Entry<String, AdapterState> entry : adapter.states().entrySet()) {
                modules.add(module(adapter, entry.getKey(), entry.getValue(), rank));
            }
        }
        return new PortableLora(rank, modules);
    }

    private static PortableModule module(
            Adapter adapter, String path, AdapterState state, int rank) {
        Map<String, Parameter> parameters = state.parameters();
        boolean embedding = parameters.containsKey("lora_embedding_A");
        if (embedding && adapter.config().ensureWeightTying()) {
            throw new IllegalArgumentException(
                    "adapter "
                            + adapter.name()
                            + " keeps "
                            + path
                            + " tied to the output head, which plain LoRA does not; merge it into"
                            + " the model instead");
        }
        Parameter any = parameters.values().iterator().next();
        if (parameters.values().stream().anyMatch(p -> p.getShape().dimension() > 2)) {
            throw new IllegalArgumentException(
                    "adapter "
                            + adapter.name()
                            + " changes the convolution "
                            + path
                            + ", which this form does not have; merge it into the model instead");
        }
        try (NDManager scope = any.getArray().getManager().newSubManager()) {
            return state instanceof LoraState lora && ownRank(lora.pair()) <= rank
                    ? exact(scope, path, embedding, lora.pair()).padded(rank)
                    : cut(scope, path, embedding, adapter, rank).padded(rank);
        }
    }

    private static PortableModule exact(
            NDManager scope, String path, boolean embedding, LowRankPair pair) {
        ParameterStore store = new ParameterStore(scope, false);
        NDList factors = pair.factors(scope, pair.a().getArray().getDevice(), store, false);
        float[] b = factors.get(1).toFloatArray();
        for (int i = 0; i < b.length; i++) {
            b[i] = (float) (b[i] * pair.scaling());
        }
        return new PortableModule(
                path, embedding, ownRank(pair), factors.get(0).toFloatArray(), b, 1);
    }

    private static PortableModule cut(
            NDManager scope, String path, boolean embedding, Adapter adapter, int rank) {
        // in float64, so that a full rank gives the change itself up to one rounding
        NDArray whole = adapter.delta(scope, path).toType(DataType.FLOAT64, false);
        int kept = (int) Math.min(rank, whole.getShape().get(0));
        kept = (int) Math.min(kept, whole.getShape().get(1));
        NDList parts = DeltaMix.KERNELS.callList(scope, "cut", whole, scope.create(kept));
        double all = energy(whole);
        double lost = energy(whole.sub(parts.get(1).matMul(parts.get(0))));
        return new PortableModule(
                path,
                embedding,
                kept,
                parts.get(0).toType(DataType.FLOAT32, false).toFloatArray(),
                parts.get(1).toType(DataType.FLOAT32, false).toFloatArray(),
                all == 0 ? 1 : 1 - lost / all);
    }

    private static double energy(NDArray values) {
        return values.mul(values).sum().getDouble();
    }

    /**
     * Adds a module that the adapter does not change, for a reader that takes all layers or none.
     *
     * @param path the module's path
     * @param out the rows of its weight
     * @param in the columns of its weight
     * @return the form with zeros there; this one if the module is there already
     */
    public PortableLora withZeros(String path, int out, int in) {
        if (modules.stream().anyMatch(module -> module.path().equals(path))) {
            return this;
        }
        List<PortableModule> more = new ArrayList<>(modules);
        more.add(
                new PortableModule(
                        path, false, rank, new float[rank * in], new float[out * rank], 1));
        return new PortableLora(rank, more);
    }

    /**
     * Returns the rank.
     *
     * @return r, which is alpha too
     */
    public int rank() {
        return rank;
    }

    /**
     * Returns the modules.
     *
     * @return the modules, in model order
     */
    public List<PortableModule> modules() {
        return modules;
    }

    /**
     * Tells what a cut to the rank has left.
     *
     * @return the smallest share of a module's squared change that is kept; 1 if nothing was cut
     */
    public double leastKeptEnergy() {
        return modules.stream().mapToDouble(PortableModule::keptEnergy).min().orElse(1);
    }

    /**
     * Writes the form under PEFT's names.
     *
     * @param targets the {@code target_modules}, which must match exactly the modules here
     * @param baseModel the {@code base_model_name_or_path}; null for none
     * @param taskType the {@code task_type}; null for none
     * @return the adapter as its files will hold it
     */
    public SavedAdapter toPeft(
            Collection<String> targets, @Nullable String baseModel, @Nullable String taskType) {
        PeftConfig config =
                LoraConfig.builder()
                        .setRank(rank)
                        .optAlpha(rank)
                        .setTargetModules(TargetModules.of(targets.toArray(String[]::new)))
                        .optBaseModel(baseModel)
                        .optTaskType(taskType)
                        .build()
                        .toPeft();
        Map<String, SavedAdapter.Tensor> tensors = new LinkedHashMap<>();
        for (PortableModule module : modules) {
            String prefix = "base_model.model." + module.path() + ".";
            boolean embedding = module.isEmbedding();
            tensors.put(
                    prefix + (embedding ? "lora_embedding_A" : "lora_A.weight"),
                    new SavedAdapter.Tensor(List.of((long) rank, (long) module.in()), module::a));
            tensors.put(
                    prefix + (embedding ? "lora_embedding_B" : "lora_B.weight"),
                    new SavedAdapter.Tensor(List.of((long) module.out(), (long) rank), module::b));
        }
        return new SavedAdapter(config, "the portable adapter", tensors);
    }
}
