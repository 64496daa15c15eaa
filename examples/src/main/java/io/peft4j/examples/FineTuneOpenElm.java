package io.peft4j.examples;

import ai.djl.Device;
import ai.djl.engine.Engine;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.dora.DoraConfig;
import io.peft4j.hub.Hub;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Computation;
import io.peft4j.models.LowRankShape;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.safetensors.Dtype;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.AvailableMemory;
import io.peft4j.tuning.DatasetOptions;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.GradientCheckpointing;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.MemoryPlan;
import io.peft4j.tuning.Schedule;
import io.peft4j.tuning.SftDataset;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Fine-tunes Apple's OpenELM, 270M to 3B, with DoRA on one GPU, or on the CPU.
 *
 * <pre>
 * FineTuneOpenElm --model apple/OpenELM-270M --tokenizer TOKENIZER.JSON --data ROWS.JSONL
 *                 --output DIRECTORY [--device gpu] [--rank 16] [--batch-size 8]
 *                 [--max-length 1024] [--epochs 1] [--learning-rate 2e-4] [--save-steps 100]
 * </pre>
 *
 * <p>{@code --model} is a directory, or a repository that is fetched. On a GPU the base is bfloat16
 * and takes half the memory; adapters are float32 always. Before anything is loaded, the memory is
 * foretold from {@code config.json} alone. Layers are computed again in backward if a step would
 * not fit otherwise. The same command goes on after an interruption, from the newest checkpoint.
 */
public final class FineTuneOpenElm {

    private static final int SEED = 42;

    private final Map<String, String> flags;

    private FineTuneOpenElm(Map<String, String> flags) {
        this.flags = flags;
    }

    /**
     * Runs the example.
     *
     * @param args the flags
     * @throws IOException if a file cannot be read or written
     */
    public static void main(String[] args) throws IOException {
        try {
            runExample(args);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        }
    }

    /**
     * Fine-tunes.
     *
     * @param args the flags
     * @return how the training went
     * @throws IOException if a file cannot be read or written
     * @throws IllegalArgumentException if a flag is missing or unknown, or there is no GPU
     */
    public static TrainingResult runExample(String... args) throws IOException {
        return new FineTuneOpenElm(parse(args)).train();
    }

    private TrainingResult train() throws IOException {
        Device device = device();
        Path output = Path.of(required("--output"));
        Path directory = model();
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        DoraConfig adapter =
                DoraConfig.builder()
                        .setRank(number("--rank", 16))
                        .optAlpha(2 * number("--rank", 16))
                        .setTargetModules("qkv_proj", "out_proj", "proj_1", "proj_2")
                        .optTaskType("CAUSAL_LM")
                        .build();
        Dtype dtype = device.isGpu() ? Dtype.BF16 : Dtype.F32;
        try (Tokenizer tokenizer = Tokenizer.load(Path.of(required("--tokenizer")))) {
            int longest = Math.min(number("--max-length", 1024), config.contextLength());
            List<Example> rows =
                    SftDataset.read(
                                    Path.of(required("--data")),
                                    tokenizer,
                                    DatasetOptions.training(config.vocabularySize(), longest))
                            .examples();
            foretell(config, adapter, Computation.of(dtype, device), rows);
            try (CausalLm model = CausalLm.load(directory, device, dtype);
                    AdaptedModel adapted = Adapters.attach(model.block(), adapter, SEED)) {
                System.out.println(adapted.summary());
                TrainingResult result =
                        SftTrainer.train(
                                LanguageModel.of(model),
                                new AdapterTrainable(adapted),
                                rows,
                                List.of(),
                                settings(output),
                                output,
                                new Lines());
                System.out.println("the adapter is in " + output);
                return result;
            }
        }
    }

    private TrainingConfig settings(Path output) {
        return TrainingConfig.builder()
                .optBatchSize(number("--batch-size", 8))
                .optEpochs(number("--epochs", 1))
                .optLearningRate(Double.parseDouble(flags.getOrDefault("--learning-rate", "2e-4")))
                .optSchedule(Schedule.COSINE)
                .optGradientCheckpointing(GradientCheckpointing.AUTO)
                .optSaveSteps(number("--save-steps", 100))
                .optResume(Files.isDirectory(output.resolve("checkpoints")))
                .optSeed(SEED)
                .build();
    }

    /** Says what the training will need, before it needs it. */
    private void foretell(
            ModelConfig config, DoraConfig adapter, Computation computation, List<Example> rows) {
        Map<Site, LowRankShape> shapes = new HashMap<>();
        for (Site site : config.sites(adapter)) {
            shapes.put(site, new LowRankShape(adapter.rank(site.path()), true, false));
        }
        int batch = Math.min(number("--batch-size", 8), rows.size());
        int length = rows.stream().mapToInt(Example::length).max().orElse(1);
        MemoryPlan plan = MemoryPlan.of(config, computation, shapes, true, batch, length);
        for (boolean again : new boolean[] {false, true}) {
            plan.peak(again)
                    .ifPresent(
                            peak ->
                                    System.out.printf(
                                            "foretold %s checkpointing: %.2f GB%n",
                                            again ? "with" : "without", peak / 1e9));
        }
        AvailableMemory.of(computation.device())
                .ifPresent(free -> System.out.printf("available: %.2f GB%n", free / 1e9));
    }

    /** A line per tenth step, and what else is worth knowing. */
    private static final class Lines implements TrainingObserver {

        @Override
        public void onStart(int doneSteps, int totalSteps) {
            System.out.println("step " + doneSteps + " of " + totalSteps);
        }

        @Override
        public void onGradientCheckpointing(boolean on, String reason) {
            System.out.println("gradient checkpointing is " + (on ? "on" : "off") + ": " + reason);
        }

        @Override
        public void onStep(TrainingStep step) {
            if (step.step() % 10 == 0 || step.step() == step.totalSteps()) {
                System.out.printf(
                        "step %d of %d, loss %.4f, %.0f tokens/s%n",
                        step.step(), step.totalSteps(), step.loss(), step.tokensPerSecond());
            }
        }
    }

    private Path model() throws IOException {
        Path directory = Path.of(required("--model"));
        return Files.isDirectory(directory)
                ? directory
                : Hub.fromEnvironment().fetchModel(required("--model"));
    }

    private Device device() {
        if (!flags.getOrDefault("--device", "cpu").equals("gpu")) {
            return Device.cpu();
        }
        if (Engine.getEngine("PyTorch").getGpuCount() == 0) {
            throw new IllegalArgumentException(
                    "--device gpu: no GPU can be used; it takes an NVIDIA GPU, and CUDA's libraries"
                            + " instead of the CPU's (PEFT4J_CUDA=1, or Maven's -Dcuda)");
        }
        return Device.gpu();
    }

    private static Map<String, String> parse(String... args) {
        List<String> known = new ArrayList<>(List.of("--model", "--tokenizer", "--data"));
        known.addAll(List.of("--output", "--device", "--rank", "--batch-size", "--max-length"));
        known.addAll(List.of("--epochs", "--learning-rate", "--save-steps"));
        Map<String, String> flags = new HashMap<>();
        for (int i = 0; i < args.length; i += 2) {
            if (!known.contains(args[i]) || i + 1 == args.length) {
                throw new IllegalArgumentException(
                        args[i] + ": expected one of " + known + ", each with a value");
            }
            flags.put(args[i], args[i + 1]);
        }
        return flags;
    }

    private String required(String flag) {
        String value = flags.get(flag);
        if (value == null) {
            throw new IllegalArgumentException(flag + " is missing");
        }
        return value;
    }

    private int number(String flag, int usual) {
        String value = flags.get(flag);
        return value == null ? usual : Integer.parseInt(value);
    }
}
