package io.peft4j.benchmarks;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Generator;
import io.peft4j.safetensors.Dtype;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Times what an active adapter costs over the bare model, with a prompt and token by token. */
@Command(
        name = "inference",
        mixinStandardHelpOptions = true,
        showDefaultValues = true,
        description = {
            "Times generation with the bare model, with LoRA and with DoRA, in turn, in one process:"
                    + " the prompt (prefill), and each token behind it (decode). Prints a line of"
                    + " JSON per case; ratios are to the bare model. Use a quiet machine."
        })
public final class InferenceBenchmark implements Callable<Integer> {

    private static final String BARE = "bare";

    @Option(names = "--model", description = "shape")
    private String shape = "llama-317m";

    @Option(names = "--dtype", description = "float32, bfloat16")
    private String dtype = "float32";

    @Option(names = "--prompt", description = "tokens of the prompt that is timed as a whole")
    private int prompt = 256;

    @Option(names = "--tokens", description = "timed tokens of a round, one at a time")
    private int tokens = 24;

    @Option(names = "--rounds", description = "how often each case is measured")
    private int rounds = 7;

    @Option(names = "--work", description = "where models are kept between runs")
    private Path work = Path.of("out/benchmark");

    /**
     * Runs the command.
     *
     * @param arguments the flags
     */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new InferenceBenchmark()).execute(arguments));
    }

    @Override
    public Integer call() throws Exception {
        Preparation preparation = new Preparation(work);
        preparation.prepare(shape);
        try (CausalLm model = CausalLm.load(preparation.model(shape), Device.cpu(), type());
                AdaptedModel adapted =
                        Adapters.load(model.block(), preparation.adapter(shape, "lora"))) {
            adapted.load("dora", preparation.adapter(shape, "dora"));
            TrainedValues.give(adapted.adapter(AdaptedModel.DEFAULT), adapted.adapter("dora"));
            Map<String, String[]> cases =
                    Map.of(
                            BARE,
                            new String[0],
                            "lora",
                            new String[] {AdaptedModel.DEFAULT},
                            "dora",
                            new String[] {"dora"});
            Rounds prefill = new Rounds("prefill");
            Rounds decode = new Rounds("decode");
            for (String name : List.of(BARE, "lora", "dora")) {
                String[] names = cases.getOrDefault(name, new String[0]);
                prefill.add(name, BARE, () -> within(adapted, names, () -> prefill(model)));
                decode.add(name, BARE, () -> within(adapted, names, () -> decode(model)));
            }
            prefill.run(rounds).print();
            decode.run(rounds).print();
        }
        return 0;
    }

    private Dtype type() {
        return switch (dtype) {
            case "float32" -> Dtype.F32;
            case "bfloat16" -> Dtype.BF16;
            default ->
                    throw new CommandLine.ParameterException(
                            new CommandLine(this),
                            "--dtype: expected float32 or bfloat16, found " + dtype);
        };
    }

    private static double within(AdaptedModel adapted, String[] names, Callable<Double> action)
            throws Exception {
        try (AdapterScope scope = adapted.use(names)) {
            return action.call();
        }
    }

    private double prefill(CausalLm model) throws Exception {
        long[] ids = ids(model, prompt);
        return Rounds.time(() -> new Generator().generate(model, ids, config(1), id -> {}));
    }

    /** The median of the times between tokens, behind those that wake the caches. */
    private double decode(CausalLm model) {
        List<Double> times = new ArrayList<>();
        long[] last = {0};
        new Generator()
                .generate(
                        model,
                        ids(model, 16),
                        config(tokens + 2),
                        id -> {
                            long now = System.nanoTime();
                            times.add((now - last[0]) / 1e9);
                            last[0] = now;
                        });
        return Measurement.median(times.subList(2, times.size()));
    }

    private static GenerationConfig config(int newTokens) {
        return GenerationConfig.builder().optMaxNewTokens(newTokens).build();
    }

    private static long[] ids(CausalLm model, int count) {
        SplittableRandom random = new SplittableRandom(7);
        return random.longs(count, 0, model.config().vocabularySize()).toArray();
    }
}
