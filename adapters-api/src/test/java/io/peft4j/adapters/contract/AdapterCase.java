package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * One combination of an {@link AdapterSpec}: a base model of two layers, the config of the method
 * under test for it, and what behaviours do with both.
 */
final class AdapterCase implements AutoCloseable {

    private final AdapterContract contract;
    private final AdapterCases.Combination combination;
    private final NDManager manager = NDManager.newBaseManager();
    private final NDManager scratch = NDManager.newBaseManager();
    private final TwoLayers base;
    private final List<AdaptedModel> attached = new ArrayList<>();
    private boolean mergedForGood;

    AdapterCase(AdapterContract contract, AdapterCases.Combination combination) {
        this.contract = contract;
        this.combination = combination;
        Target target = combination.target();
        base = target.create(combination.bias());
        base.initialize(manager, DataType.FLOAT32, target.input());
        SplittableRandom random = new SplittableRandom(7);
        for (Parameter parameter : base.getParameters().values()) {
            set(parameter, random(parameter.getShape(), 0.5, random));
            if (combination.storage() == AdapterSpec.Storage.BFLOAT16) {
                NDArray narrow = BFloat16.of(manager, parameter.getArray());
                parameter.close();
                parameter.setShape(null);
                parameter.setArray(narrow);
            }
        }
    }

    Block base() {
        return base;
    }

    Target target() {
        return combination.target();
    }

    int rank() {
        return combination.rank();
    }

    boolean training() {
        return combination.training();
    }

    AdapterContract contract() {
        return contract;
    }

    /** The manager of whatever a behaviour makes. */
    NDManager scratch() {
        return scratch;
    }

    /** All sites of the adapted kind. */
    List<Site> sites() {
        return Adapters.sites(base).stream().filter(s -> s.kind() == target().kind()).toList();
    }

    /** The paths of all that the active adapter changes: the sites, and their biases if it does. */
    List<String> changed(AdaptedModel adapted) {
        List<String> paths = new ArrayList<>();
        for (Site site : sites()) {
            paths.add(site.path());
            boolean biased = combination.bias() && target().kind() != Site.Kind.MATRIX;
            if (biased && adapted.adapter().states().get(site.path()).changesBias()) {
                paths.add(site.path() + ".bias");
            }
        }
        return paths;
    }

    TargetModules targets() {
        return TargetModules.of(sites().stream().map(Site::path).toArray(String[]::new));
    }

    AdapterConfig config() {
        return config(rank());
    }

    AdapterConfig config(int rank) {
        return contract.config(rank, targets());
    }

    /** Settings of another method. */
    AdapterConfig another() {
        return new PlainConfig(2, targets(), 0);
    }

    Optional<AdapterConfig> configWithDropout(double probability) {
        return contract.configWithDropout(rank(), targets(), probability);
    }

    /** Attaches the method under test as {@code default}, with seed 1. */
    AdaptedModel attach() {
        return attach(config());
    }

    AdaptedModel attach(AdapterConfig config) {
        return track(Adapters.attach(base, config, 1));
    }

    AdaptedModel load(Path directory) throws IOException {
        return track(Adapters.load(base, directory));
    }

    private AdaptedModel track(AdaptedModel adapted) {
        attached.add(adapted);
        return adapted;
    }

    /** Closes what is still attached, as the behaviours leave it. */
    void takeOff() {
        attached.forEach(AdaptedModel::close);
        // a behaviour that attaches nothing has no say in what is frozen
        base.freezeParameters(true);
    }

    void mergedForGood() {
        mergedForGood = true;
    }

    boolean isMergedForGood() {
        return mergedForGood;
    }

    /** Always the same input of the base model. */
    NDArray input() {
        return input(11);
    }

    NDArray input(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Shape shape = target().input();
        if (target().inputType() == DataType.INT64) {
            long[] ids = random.longs(shape.size(), 0, Target.ENTRIES).toArray();
            return Tensors.of(scratch, ids, shape);
        }
        return random(shape, 1, random);
    }

    NDArray random(Shape shape, double deviation, SplittableRandom random) {
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        return Tensors.of(scratch, values, shape);
    }

    /** The output of a block as the combination's {@code training} says, without a graph. */
    float[] run(Block block, NDArray x) {
        return run(block, x, training());
    }

    float[] run(Block block, NDArray x, boolean training) {
        try (NDManager pass = scratch.newSubManager();
                GradMode off = GradMode.disabled()) {
            NDArray own = x.reshape(x.getShape());
            own.attach(pass);
            ParameterStore store = new ParameterStore(pass, false);
            return block.forward(store, new NDList(own), training).head().toFloatArray();
        }
    }

    /** The output of a block in training, with its graph if the thread records. */
    NDArray train(Block block, NDArray x) {
        ParameterStore store = new ParameterStore(scratch, false);
        return block.forward(store, new NDList(x), true).head();
    }

    /** Moves all parameters of an adapter away from where they are. */
    void randomise(Adapter adapter, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (Parameter parameter : adapter.parameters().values()) {
            try (GradMode off = GradMode.disabled();
                    NDArray noise = random(parameter.getShape(), 0.3, random);
                    NDArray moved = noise.add(parameter.getArray())) {
                set(parameter, moved);
            }
        }
    }

    static void set(Parameter parameter, NDArray values) {
        Tensors.copy(values, parameter.getArray());
    }

    /** An adapter's values by key. */
    static Map<String, List<Float>> values(Adapter adapter) {
        Map<String, List<Float>> values = new LinkedHashMap<>();
        adapter.parameters()
                .forEach((key, p) -> values.put(key, Floats.list(p.getArray().toFloatArray())));
        return values;
    }

    /** The base parameter at a site. */
    Parameter weight(Site site) {
        return BaseParameters.at(base, site);
    }

    /** A site's weight as methods see it: (out, in), float32, a view where the base has float32. */
    NDArray matrix(Site site) {
        return BaseParameters.matrix(scratch, weight(site).getArray(), site);
    }

    /** The bits of all base parameters, by name. */
    Map<String, IntBuffer> bits() {
        Map<String, IntBuffer> bits = new LinkedHashMap<>();
        for (Pair<String, Parameter> parameter : base.getParameters()) {
            bits.put(parameter.getKey(), BaseParameters.bits(parameter.getValue().getArray()));
        }
        return bits;
    }

    /** The number of arrays that belong to the base or to adapters on it. */
    int arrays() {
        return manager.getManagedArrays().size();
    }

    @Override
    public void close() {
        scratch.close();
        manager.close();
    }
}
