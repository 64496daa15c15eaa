package io.peft4j.benchmarks;

import ai.djl.Device;
import com.google.gson.Gson;
import com.sun.management.OperatingSystemMXBean;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterSummary;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Computation;
import io.peft4j.models.LowRankShape;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.TorchRuntime;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.GradientCheckpointing;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.MemoryPlan;
import io.peft4j.tuning.PeakMemory;
import io.peft4j.tuning.Schedule;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Our side, in a process of its own: trains as any user does, and prints one line of JSON.
 *
 * <p>Arguments: the model, the adapter, a file of token ids (one row of numbers a line), the type
 * of the base weights, the number of steps, whether layers are computed again in backward.
 */
public final class TrainingProcess implements TrainingObserver {

    private final List<Double> losses = new ArrayList<>();
    private final List<Double> seconds = new ArrayList<>();
    private final List<Double> cpuSeconds = new ArrayList<>();
    private final OperatingSystemMXBean system =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    private long wallBefore;
    private long cpuBefore;

    private TrainingProcess() {}

    /**
     * Trains and measures.
     *
     * @param arguments as above
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] arguments) throws IOException {
        Path modelDirectory = Path.of(arguments[0]);
        Path adapter = Path.of(arguments[1]);
        List<Example> rows = rows(Path.of(arguments[2]));
        String dtype = arguments[3];
        int steps = Integer.parseInt(arguments[4]);
        TrainingProcess times = new TrainingProcess();
        Path output = adapter.resolveSibling("trained");
        // a first measurement is that of loading
        PeakMemory loading = PeakMemory.start();
        try (CausalLm model = load(modelDirectory, dtype);
                AdaptedModel adapted = Adapters.load(model.block(), adapter)) {
            double loadingPeak = loading.read().megabytes();
            PeakMemory peak = PeakMemory.start();
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted, Map.of()),
                    rows,
                    List.of(),
                    TrainingConfig.builder()
                            .optBatchSize(rows.size())
                            .optMaxSteps(steps)
                            .optLearningRate(1e-4)
                            .optSchedule(Schedule.of("constant"))
                            .optMaxGradNorm(0)
                            .optSaveSteps(0)
                            .optShuffle(false)
                            .optGradientCheckpointing(GradientCheckpointing.of(arguments[5]))
                            .build(),
                    output,
                    times);
            double stepPeak = peak.read().megabytes();
            Measurement result =
                    new Measurement(
                            times.losses,
                            times.seconds,
                            times.cpuSeconds,
                            stepPeak,
                            Math.max(loadingPeak, stepPeak),
                            foretold(model, adapted, rows) / 1e6,
                            Map.of(
                                    "libtorch",
                                    TorchRuntime.version(),
                                    "threads",
                                    String.valueOf(TorchRuntime.threads())));
            System.out.println(new Gson().toJson(result));
        }
    }

    private static double foretold(CausalLm model, AdaptedModel adapted, List<Example> rows) {
        boolean magnitude = adapted.adapter().config().method().equals("dora");
        Map<Site, LowRankShape> shapes = new LinkedHashMap<>();
        for (AdapterSummary.Row row : adapted.summary().sites()) {
            int rank = row.rank().orElseThrow();
            shapes.put(row.site(), new LowRankShape(rank, magnitude, false));
        }
        MemoryPlan plan =
                MemoryPlan.of(
                        model.config(),
                        Computation.of(model.computeDtype(), model.device()),
                        shapes,
                        true,
                        rows.size(),
                        rows.get(0).length());
        return plan.peak(model.usesGradientCheckpointing()).orElseThrow();
    }

    private static CausalLm load(Path directory, String dtype) throws IOException {
        return CausalLm.load(
                directory,
                Device.cpu(),
                switch (dtype) {
                    case "float32" -> Dtype.F32;
                    case "bfloat16" -> Dtype.BF16;
                    default ->
                            throw new IllegalArgumentException(
                                    "expected float32 or bfloat16, found " + dtype);
                });
    }

    private static List<Example> rows(Path file) throws IOException {
        return Files.readAllLines(file, StandardCharsets.UTF_8).stream()
                .map(line -> Arrays.stream(line.split(" ")).mapToLong(Long::parseLong).toArray())
                .map(Example::of)
                .toList();
    }

    @Override
    public void onStart(int doneSteps, int totalSteps) {
        mark();
    }

    private void mark() {
        wallBefore = System.nanoTime();
        cpuBefore = system.getProcessCpuTime();
    }

    @Override
    public void onStep(TrainingStep step) {
        losses.add(step.loss());
        if (step.step() > 1) {
            seconds.add((System.nanoTime() - wallBefore) / 1e9);
            cpuSeconds.add((system.getProcessCpuTime() - cpuBefore) / 1e9);
        }
        mark();
    }
}
