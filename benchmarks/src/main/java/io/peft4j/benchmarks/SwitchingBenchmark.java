package io.peft4j.benchmarks;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Generator;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Times opening a model, and attaching, loading, choosing and merging adapters. */
@Command(
        name = "switching",
        mixinStandardHelpOptions = true,
        showDefaultValues = true,
        description = {
            "Times opening a model beside reading its file; attaching, loading and activating an"
                    + " adapter on all linear layers; the first token after a switch beside a later"
                    + " one; and merging and unmerging beside a copy of the same weights. Prints a"
                    + " line of JSON per case. Use a quiet machine."
        })
public final class SwitchingBenchmark implements Callable<Integer> {

    private static final String COPY = "copy the weights";
    private static final String COPY_OVER = "copy them over others";
    private static final int READ_BYTES = 1 << 20;

    @Option(names = "--model", description = "shape")
    private String shape = "llama-317m";

    @Option(names = "--rounds", description = "how often each case is measured")
    private int rounds = 5;

    @Option(names = "--work", description = "where models are kept between runs")
    private Path work = Path.of("out/benchmark");

    /**
     * Runs the command.
     *
     * @param arguments the flags
     */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new SwitchingBenchmark()).execute(arguments));
    }

    @Override
    public Integer call() throws Exception {
        Preparation preparation = new Preparation(work);
        preparation.prepare(shape);
        Path directory = preparation.model(shape);
        new Rounds("open")
                .add("read", "read", () -> Rounds.time(() -> read(directory)))
                .add("load", "read", () -> open(directory))
                .run(Math.min(rounds, 3))
                .print();
        try (CausalLm model = CausalLm.load(directory, Device.cpu())) {
            for (String method : List.of("lora", "dora")) {
                AdapterConfig config = preparation.config(method, model);
                attaching(model, preparation.adapter(shape, method), config, method);
                merging(model, config, method);
            }
        }
        return 0;
    }

    private static void read(Path directory) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(READ_BYTES);
        try (FileChannel file = FileChannel.open(directory.resolve("model.safetensors"))) {
            while (file.read(buffer) >= 0) {
                buffer.clear();
            }
        }
    }

    private static double open(Path directory) throws IOException {
        long start = System.nanoTime();
        CausalLm opened = CausalLm.load(directory, Device.cpu());
        double seconds = (System.nanoTime() - start) / 1e9;
        opened.close();
        return seconds;
    }

    private void attaching(CausalLm model, Path saved, AdapterConfig config, String method)
            throws Exception {
        AdaptedModel[] adapted = new AdaptedModel[1];
        new Rounds(method)
                .add(
                        "attach",
                        "attach",
                        () ->
                                Rounds.time(
                                        () -> adapted[0] = Adapters.attach(model.block(), config)))
                .add(
                        "load a saved one",
                        "attach",
                        () -> Rounds.time(() -> adapted[0].load("other", saved)))
                .add("activate", "attach", () -> Rounds.time(() -> adapted[0].activate("other")))
                .add("first token", "a later token", () -> token(model))
                .add("a later token", "a later token", () -> token(model))
                .add("take off", "attach", () -> Rounds.time(adapted[0]::close))
                .run(rounds)
                .print();
    }

    private static double token(CausalLm model) throws Exception {
        GenerationConfig one = GenerationConfig.builder().optMaxNewTokens(1).build();
        return Rounds.time(() -> new Generator().generate(model, new long[] {1}, one, id -> {}));
    }

    private void merging(CausalLm model, AdapterConfig config, String method) throws Exception {
        try (AdaptedModel adapted = Adapters.attach(model.block(), config);
                NDManager scope = model.manager().newSubManager()) {
            TrainedValues.give(adapted.adapter());
            List<NDArray> weights = new ArrayList<>();
            adapted.adapter()
                    .states()
                    .keySet()
                    .forEach(path -> weights.add(weight(model, path).getArray()));
            List<NDArray> copies = new ArrayList<>();
            weights.forEach(weight -> copies.add(Tensors.clone(scope, weight)));
            new Rounds(method)
                    .add(COPY, COPY, () -> copyAnew(scope, weights))
                    .add(COPY_OVER, COPY_OVER, () -> Rounds.time(() -> copy(weights, copies)))
                    .add("merge", COPY, () -> Rounds.time(adapted::merge))
                    .add("unmerge", COPY_OVER, () -> Rounds.time(adapted::unmerge))
                    .run(rounds)
                    .print();
        }
    }

    private static Parameter weight(CausalLm model, String path) {
        Parameter weight = model.parameters().get(path + ".weight");
        if (weight == null) {
            throw new IllegalStateException("no weight at " + path);
        }
        return weight;
    }

    /** Copies into new memory, as a merge does that can be undone. */
    private static double copyAnew(NDManager parent, List<NDArray> weights) {
        try (NDManager scope = parent.newSubManager()) {
            long start = System.nanoTime();
            weights.forEach(weight -> Tensors.clone(scope, weight));
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private static void copy(List<NDArray> weights, List<NDArray> copies) {
        for (int i = 0; i < weights.size(); i++) {
            Tensors.copy(weights.get(i), copies.get(i));
        }
    }
}
