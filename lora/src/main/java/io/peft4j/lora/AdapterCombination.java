package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.TargetModules;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes one LoRA adapter of several adapters on a model.
 *
 * <pre>{@code
 * CombinationReport report = AdapterCombination.builder()
 *         .addAdapter("maths", 0.7)
 *         .addAdapter("code", 0.3)
 *         .build()
 *         .addTo(model, "both");
 * }</pre>
 *
 * <p>A weighted sum of LoRA adapters is exact: their factors are set side by side, so that the rank
 * is the sum of the ranks. With a rank given, or with another rule, the dense change of each weight
 * is combined and cut to the rank by a singular value decomposition, and the report states what the
 * cut costs. That works for any method: a DoRA adapter's change has full rank, so it is refused
 * where no rank is given.
 *
 * <p>PEFT's types {@code cat}, {@code svd}, {@code magnitude_prune_svd}, {@code ties_svd}, {@code
 * dare_linear_svd} and {@code dare_ties_svd} give the same. Its types without {@code _svd} work on
 * the factors apart, whose product is not the weighted sum, and are not offered; with rsLoRA its
 * results are too large by the root of the rank.
 */
public final class AdapterCombination {

    private final Map<String, Double> weights;
    private final DeltaMix mix;
    private final OptionalInt rank;
    private final long seed;

    private AdapterCombination(Builder builder) {
        weights = new LinkedHashMap<>(builder.weights);
        mix = new DeltaMix(builder.rule, builder.density, builder.majority);
        rank = builder.rank;
        seed = builder.seed;
    }

    /** The factors of a site's update, B · A with A (rank, in) and B (out, rank). */
    private record Factors(NDArray a, NDArray b, double error) {}

    /**
     * Adds the combined adapter to the model. It is not active until it is activated.
     *
     * @param model the model that has the adapters
     * @param name a new name
     * @return the rank and the error of each site
     * @throws IllegalArgumentException if an adapter is unknown or cannot be combined this way; the
     *     message says why, and nothing has changed
     */
    public CombinationReport addTo(AdaptedModel model, String name) {
        List<Adapter> adapters = weights.keySet().stream().map(model::adapter).toList();
        adapters.forEach(
                adapter ->
                        SitesOnly.require(
                                adapter,
                                "which has no weighted sum with the others",
                                "combine adapters without biases, saved modules and token rows"));
        Set<String> paths = new LinkedHashSet<>();
        adapters.forEach(adapter -> paths.addAll(adapter.states().keySet()));
        NDManager any =
                adapters.get(0).parameters().values().iterator().next().getArray().getManager();
        try (GradMode off = GradMode.disabled();
                NDManager scope = any.newSubManager()) {
            Map<String, Factors> factors = new LinkedHashMap<>();
            for (String path : paths) {
                factors.put(path, combine(scope, adapters, path));
            }
            Adapter combined = model.add(name, config(adapters.get(0), factors), seed);
            combined.states().forEach((path, state) -> fill(state, factors.get(path)));
            combined.record("combination.rule", mix.rule().name().toLowerCase(Locale.ROOT));
            combined.record("combination.weights", weights.toString());
            List<CombinationReport.Row> rows = new ArrayList<>();
            factors.forEach(
                    (path, f) -> rows.add(new CombinationReport.Row(path, rank(f), f.error)));
            return new CombinationReport(rows);
        }
    }

    private Factors combine(NDManager scope, List<Adapter> adapters, String path) {
        List<Adapter> here = adapters.stream().filter(a -> a.states().containsKey(path)).toList();
        return mix.rule() == CombinationRule.SUM && rank.isEmpty()
                ? joined(scope, here, path)
                : cut(scope, here, path);
    }

    /** The factors side by side: an exact sum. Each B carries its weight and scaling. */
    private Factors joined(NDManager scope, List<Adapter> adapters, String path) {
        NDList as = new NDList();
        NDList bs = new NDList();
        for (Adapter adapter : adapters) {
            LowRankPair pair = pair(adapter, path);
            ParameterStore store = new ParameterStore(scope, false);
            NDList factors = pair.factors(scope, pair.a().getArray().getDevice(), store, false);
            as.add(matrix(scope, factors.get(0)));
            bs.add(matrix(scope, factors.get(1)).mul(pair.scaling() * weight(adapter)));
        }
        return new Factors(NDArrays.concat(as, 0), NDArrays.concat(bs, 1), 0);
    }

    private static NDArray matrix(NDManager scope, NDArray factor) {
        NDArray view = factor.reshape(factor.getShape().get(0), -1);
        view.attach(scope);
        return view;
    }

    private static LowRankPair pair(Adapter adapter, String path) {
        AdapterState state = Objects.requireNonNull(adapter.states().get(path));
        if (state instanceof LoraState lora) {
            return lora.pair();
        }
        throw new IllegalArgumentException(
                "adapter "
                        + adapter.name()
                        + " is "
                        + adapter.config().method()
                        + ", whose change of a weight has full rank, so that no concatenation equals"
                        + " it; give a rank to cut the sum to");
    }

    private Factors cut(NDManager outer, List<Adapter> adapters, String path) {
        try (NDManager scope = outer.newSubManager()) {
            List<NDArray> deltas = new ArrayList<>();
            List<Double> shares = new ArrayList<>();
            List<NDArray> masks = new ArrayList<>();
            for (Adapter adapter : adapters) {
                NDArray delta = adapter.delta(scope, path);
                deltas.add(delta);
                shares.add(weight(adapter));
                if (mix.rule().draws()) {
                    long drawn = 31 * (31 * seed + path.hashCode()) + adapter.name().hashCode();
                    masks.add(mix.mask(scope, delta.getShape(), drawn));
                }
            }
            NDArray whole = mix.of(scope, deltas, shares, masks);
            long most = Math.min(whole.getShape().get(0), whole.getShape().get(1));
            int wanted = rank.orElseGet(() -> largestRank(adapters, path));
            int kept = (int) Math.min(most, wanted);
            NDList parts = DeltaMix.KERNELS.callList(outer, "cut", whole, scope.create(kept));
            NDArray lost = whole.sub(parts.get(1).matMul(parts.get(0)));
            double error =
                    lost.norm().getFloat() / Math.max(whole.norm().getFloat(), Float.MIN_NORMAL);
            return new Factors(parts.get(0), parts.get(1), error);
        }
    }

    private static int largestRank(List<Adapter> adapters, String path) {
        return adapters.stream()
                .mapToInt(a -> Objects.requireNonNull(a.states().get(path)).rank().orElse(1))
                .max()
                .orElseThrow();
    }

    private double weight(Adapter adapter) {
        return Objects.requireNonNull(weights.get(adapter.name()));
    }

    /** Settings of a LoRA adapter with exactly these sites and ranks, and scaling 1. */
    private static LoraConfig config(Adapter first, Map<String, Factors> factors) {
        int common =
                factors.values().stream().mapToInt(AdapterCombination::rank).max().orElseThrow();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        Map<String, Double> alphas = new LinkedHashMap<>();
        factors.forEach(
                (path, f) -> {
                    if (rank(f) != common) {
                        String pattern = path.replace(".", "\\.");
                        ranks.put(pattern, rank(f));
                        alphas.put(pattern, (double) rank(f));
                    }
                });
        return LoraConfig.builder()
                .setRank(common)
                .optFanInFanOut(first.config().fanInFanOut())
                .optAlpha(common)
                .optRankPattern(ranks)
                .optAlphaPattern(alphas)
                .setTargetModules(TargetModules.of(factors.keySet().toArray(String[]::new)))
                .optBaseModel(
                        first.config().toPeft().string("base_model_name_or_path").orElse(null))
                .build();
    }

    private static int rank(Factors factors) {
        return (int) factors.a.getShape().get(0);
    }

    private static void fill(AdapterState state, @Nullable Factors factors) {
        LowRankPair pair = ((LoraState) state).pair();
        Factors values = Objects.requireNonNull(factors);
        Tensors.copy(values.a.reshape(pair.a().getShape()), pair.a().getArray());
        Tensors.copy(values.b.reshape(pair.b().getShape()), pair.b().getArray());
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds an {@link AdapterCombination}. */
    public static final class Builder {

        private final Map<String, Double> weights = new LinkedHashMap<>();
        private CombinationRule rule = CombinationRule.SUM;
        private double density = 1;
        private MajoritySign majority = MajoritySign.TOTAL;
        private OptionalInt rank = OptionalInt.empty();
        private long seed = 42;

        private Builder() {}

        /**
         * Adds an adapter (required, at least one).
         *
         * @param name its name
         * @param weight its weight; it may be negative
         * @return this builder
         */
        public Builder addAdapter(String name, double weight) {
            if (weights.putIfAbsent(name, weight) != null) {
                throw new IllegalArgumentException("adapter " + name + " is named twice");
            }
            if (!Double.isFinite(weight)) {
                throw new IllegalArgumentException(
                        "the weight of adapter " + name + " must be finite, but is " + weight);
            }
            return this;
        }

        /**
         * Sets how the changes are combined; a weighted sum unless set.
         *
         * @param how the rule
         * @return this builder
         */
        public Builder optRule(CombinationRule how) {
            rule = how;
            return this;
        }

        /**
         * Sets the rank that each site is cut to. Unless set, a weighted sum is exact, and other
         * rules keep the largest rank of the adapters.
         *
         * @param r the rank, at least 1
         * @return this builder
         */
        public Builder optRank(int r) {
            if (r < 1) {
                throw new IllegalArgumentException("the rank must be at least 1, but is " + r);
            }
            rank = OptionalInt.of(r);
            return this;
        }

        /**
         * Sets the share of elements that pruning keeps; 1 unless set.
         *
         * @param share a number in (0, 1]
         * @return this builder
         */
        public Builder optDensity(double share) {
            if (!(share > 0 && share <= 1)) {
                throw new IllegalArgumentException(
                        "density must be above 0 and at most 1, but is " + share);
            }
            density = share;
            return this;
        }

        /**
         * Sets how TIES elects signs; by the sum unless set.
         *
         * @param method the election
         * @return this builder
         */
        public Builder optMajoritySign(MajoritySign method) {
            majority = method;
            return this;
        }

        /**
         * Sets what decides DARE's random dropping; 42 unless set.
         *
         * @param number any number
         * @return this builder
         */
        public Builder optSeed(long number) {
            seed = number;
            return this;
        }

        /**
         * Builds the combination.
         *
         * @return the combination
         * @throws IllegalArgumentException if there is no adapter, or a setting contradicts the
         *     rule
         */
        public AdapterCombination build() {
            if (weights.isEmpty()) {
                throw new IllegalArgumentException("add at least one adapter to combine");
            }
            if (density < 1 && !rule.prunes()) {
                throw new IllegalArgumentException(
                        "density " + density + " has no effect with the rule " + rule);
            }
            return new AdapterCombination(this);
        }
    }
}
