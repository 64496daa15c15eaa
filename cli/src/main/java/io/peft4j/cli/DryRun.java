package io.peft4j.cli;

import ai.djl.Device;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TrainedInFull;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.Computation;
import io.peft4j.models.LowRankShape;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.StepMemory;
import io.peft4j.models.Tokenizer;
import io.peft4j.safetensors.Dtype;
import io.peft4j.tuning.AvailableMemory;
import io.peft4j.tuning.CheckpointingChoice;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.MemoryPlan;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.PromptDataset;
import io.peft4j.tuning.preference.PreferencePair;
import io.peft4j.tuning.reward.RewardHead;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * {@code train --dry-run}: foretells the memory of a training.
 *
 * @param base the model, of which {@code config.json} and the tokenizer are read
 * @param method what would be trained
 * @param training batch, length and whether layers are computed again
 * @param compute where, and in what precision
 */
record DryRun(Source base, MethodOptions method, HyperParameters training, ComputeOptions compute) {

    private static final String BYTES = "_bytes";

    JsonObject plan(Path data, AnswersOption answers, PrintWriter err) throws IOException {
        Path directory = base.fetchDescription(err);
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        Device device = compute.place().device();
        Dtype type = compute.choose(config.dtype().orElse(Dtype.F32));
        List<Example> examples = examples(directory, config, data, answers, err);
        int rows = Math.min(training.batchSize(), examples.size());
        int length = examples.stream().mapToInt(Example::length).max().orElse(1);
        return plan(config, device, type, rows, length, err);
    }

    /** Where pairs come from. */
    interface PairSource {
        List<PreferencePair> read(ModelConfig config, @Nullable Tokenizer tokenizer)
                throws IOException;
    }

    /** Plans a training on pairs, whose answers go through the model together. */
    JsonObject planPairs(PairSource source, PrintWriter err) throws IOException {
        Path directory = base.fetchDescription(err);
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        Device device = compute.place().device();
        Dtype type = compute.choose(config.dtype().orElse(Dtype.F32));
        Path given = compute.place().tokenizer();
        List<PreferencePair> pairs;
        try (Tokenizer tokenizer =
                given != null ? Tokenizer.load(given) : Tokenizer.find(directory).orElse(null)) {
            pairs = source.read(config, tokenizer);
        }
        int rows = 2 * Math.min(training.batchSize(), pairs.size());
        int length = pairs.stream().mapToInt(PreferencePair::length).max().orElse(1);
        return plan(config, device, type, rows, length, err);
    }

    /**
     * Plans a training on answers that are sampled on the way, of the greatest length.
     *
     * @param sequences the answers to a prompt, which go through the model together
     */
    JsonObject planPrompts(Path data, SamplingOptions sampling, int sequences, PrintWriter err)
            throws IOException {
        Path directory = base.fetchDescription(err);
        ModelConfig config = ModelConfig.read(directory.resolve("config.json"));
        Device device = compute.place().device();
        Dtype type = compute.choose(config.dtype().orElse(Dtype.F32));
        Path given = compute.place().tokenizer();
        int context = config.contextLength();
        int rows;
        int longest;
        try (Tokenizer tokenizer =
                given != null ? Tokenizer.load(given) : Tokenizer.load(directory)) {
            List<Prompt> prompts =
                    PromptDataset.read(data, tokenizer, Math.min(context - 1, training.maxLength()))
                            .prompts();
            rows = sequences * Math.min(training.batchSize(), prompts.size());
            longest = prompts.stream().mapToInt(prompt -> prompt.ids().length).max().orElse(1);
        }
        int answer = sampling.config(context - longest, 0, List.of()).maxNewTokens();
        return plan(config, device, type, rows, Math.min(context, longest + answer), err);
    }

    private JsonObject plan(
            ModelConfig config, Device device, Dtype type, int rows, int length, PrintWriter err)
            throws IOException {
        MemoryPlan plan;
        JsonObject json = new JsonObject();
        if (method.isFull()) {
            plan = MemoryPlan.full(config);
            json.addProperty("method", Methods.FULL);
        } else {
            LowRankConfig adapter = method.config(config, base, err);
            plan = plan(config, adapter, Computation.of(type, device), rows, length);
            json.addProperty("method", adapter.method());
            json.addProperty("rank", adapter.rank());
        }
        json.addProperty("dtype", type.torchName());
        json.addProperty("batch_size", rows);
        json.addProperty("length", length);
        OptionalLong available = AvailableMemory.of(device);
        CheckpointingChoice choice = plan.checkpointing(training.checkpointing(), available);
        json.addProperty("gradient_checkpointing", choice.on());
        json.addProperty("reason", choice.reason());
        addBytes(json, plan, choice.on());
        json.addProperty("available" + BYTES, available.isPresent() ? available.getAsLong() : null);
        return json;
    }

    private List<Example> examples(
            Path directory, ModelConfig config, Path data, AnswersOption answers, PrintWriter err)
            throws IOException {
        Path given = compute.place().tokenizer();
        try (Tokenizer tokenizer =
                given != null ? Tokenizer.load(given) : Tokenizer.find(directory).orElse(null)) {
            return Datasets.training(data, config, tokenizer, training.maxLength(), answers, err);
        }
    }

    /** Plans the training of an adapter. */
    static MemoryPlan plan(
            ModelConfig config,
            LowRankConfig adapter,
            Computation computation,
            int rows,
            int length) {
        Map<Site, LowRankShape> shapes = new LinkedHashMap<>();
        boolean magnitude = adapter.method().equals("dora");
        for (Site site : config.sites(adapter)) {
            int rank = adapter.rank(site.path());
            shapes.put(site, new LowRankShape(rank, magnitude, adapter.dropout() > 0));
        }
        boolean fromWeight = adapter.init().startsFromWeight();
        boolean byKernels =
                !fromWeight && !adapter.loraBias() && isByKernels(adapter.trainedInFull());
        return MemoryPlan.of(config, computation, shapes, byKernels, rows, length);
    }

    /** A score head has kernels of its own. */
    private static boolean isByKernels(TrainedInFull whole) {
        return whole.equals(TrainedInFull.NOTHING)
                || whole.equals(
                        new TrainedInFull(
                                TrainedInFull.Bias.NONE, RewardHead.MODULES_TO_SAVE, Map.of()));
    }

    private static void addBytes(JsonObject json, MemoryPlan plan, boolean checkpointing) {
        json.addProperty("weights" + BYTES, plan.weights());
        json.addProperty("adapters" + BYTES, plan.adapters());
        json.addProperty("gradients" + BYTES, plan.gradients());
        json.addProperty("optimizer" + BYTES, plan.optimizer());
        json.addProperty("floor" + BYTES, MemoryPlan.FLOOR);
        StepMemory step = plan.step().orElse(null);
        json.addProperty(
                "kept_activations" + BYTES, step == null ? null : step.kept(checkpointing));
        json.addProperty(
                "largest_layer" + BYTES, step == null ? null : step.largestLayer(checkpointing));
        json.addProperty("head_and_loss" + BYTES, step == null ? null : step.head());
        addPeak(json, "peak", plan.peak(checkpointing));
        addPeak(json, "peak_with_checkpointing", plan.peak(true));
        addPeak(json, "peak_without_checkpointing", plan.peak(false));
    }

    private static void addPeak(JsonObject json, String key, OptionalLong bytes) {
        json.addProperty(key + BYTES, bytes.isPresent() ? bytes.getAsLong() : null);
    }

    /** Says it to people: what a training is, then megabytes of 10^6 bytes. */
    static String text(JsonObject json) {
        StringBuilder text = new StringBuilder();
        List<List<String>> rows = new ArrayList<>();
        for (Map.Entry<String, JsonElement> entry : json.entrySet()) {
            String key = entry.getKey();
            JsonElement value = entry.getValue();
            if (!key.endsWith(BYTES)) {
                text.append(key.replace('_', ' ')).append(": ").append(value.getAsString());
                text.append('\n');
                continue;
            }
            String name = key.substring(0, key.length() - BYTES.length()).replace('_', ' ');
            String megabytes =
                    value.isJsonNull()
                            ? "not told"
                            : String.format(Locale.ROOT, "%,.1f", value.getAsLong() / 1e6);
            rows.add(List.of(name, megabytes));
        }
        text.append('\n').append(TextTable.of(List.of("memory", "MB"), rows));
        if (json.get("peak" + BYTES).isJsonNull()) {
            text.append("What a step keeps is not told for this training, and comes on top.\n");
        }
        return text.toString();
    }
}
