package io.peft4j.models;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.peft4j.files.AtomicFiles;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * LoRA adapters of Mixtral's experts in PEFT's two layouts.
 *
 * <p>On transformers 4, and here, an expert's {@code w1}, {@code w2} and {@code w3} have adapters
 * of their own. On transformers 5 the experts of a layer are two parameters, and PEFT writes one
 * adapter for each, named by {@code target_parameters}: {@code gate_up_proj} for w1 above w3, and
 * {@code down_proj} for w2, with A (experts · r, in) and B (out, r · experts).
 *
 * <p>{@link #split} and {@link #fuse} copy an adapter's directory from one layout to the other. A
 * fused pair that was made of two comes apart into those two. One that was trained fused shares its
 * A between w1 and w3: both get the whole of it, which computes the same; trained on, they part.
 */
public final class ExpertAdapters {

    private static final String TENSORS = "adapter_model.safetensors";
    private static final String A = "lora_A.weight";
    private static final String B = "lora_B.weight";
    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().serializeNulls().create();

    private final SafetensorsFile file;
    private final ModelConfig model;
    private final int experts;
    private final Map<String, TensorSource> tensors = new TreeMap<>();

    private ExpertAdapters(SafetensorsFile file, ModelConfig model) throws IOException {
        this.file = file;
        this.model = model;
        Experts described = model.architecture().experts();
        if (described == null) {
            throw new CheckpointException(
                    file.path() + ": expected a model of experts, found " + model.modelType());
        }
        experts = described.count();
        for (String name : file.names()) {
            if (!name.contains(".experts.")) {
                long[] shape =
                        file.tensor(name).shape().stream().mapToLong(Long::longValue).toArray();
                tensors.put(name, TensorSources.ofFloats(Dtype.F32, file.toFloats(name), shape));
            }
        }
    }

    /**
     * Tells whether an adapter has the fused layout.
     *
     * @param directory an adapter's directory
     * @return whether its config names target parameters
     * @throws IOException if the config cannot be read
     */
    public static boolean isFused(Path directory) throws IOException {
        return ExpertAdapterSettings.read(directory).isFused();
    }

    /**
     * Copies a fused adapter to the layout of one adapter per expert.
     *
     * @param fused the adapter's directory
     * @param target where the copy goes; both its files are replaced, or none
     * @param model the base model's config
     * @throws CheckpointException if the tensors are not those of the model's experts
     * @throws IOException if reading or writing fails
     */
    public static void split(Path fused, Path target, ModelConfig model) throws IOException {
        ExpertAdapterSettings settings = ExpertAdapterSettings.read(fused);
        try (SafetensorsFile file = SafetensorsFile.open(fused.resolve(TENSORS))) {
            ExpertAdapters copy = new ExpertAdapters(file, model);
            settings.split(copy.split());
            write(target, settings, copy.tensors);
        }
    }

    /**
     * Copies an adapter of single experts to the fused layout, as PEFT converts it.
     *
     * @param perExpert the adapter's directory
     * @param target where the copy goes; both its files are replaced, or none
     * @param model the base model's config
     * @throws CheckpointException if it is no LoRA adapter of all experts, w1 and w3 alike
     * @throws IOException if reading or writing fails
     */
    public static void fuse(Path perExpert, Path target, ModelConfig model) throws IOException {
        ExpertAdapterSettings settings = ExpertAdapterSettings.read(perExpert);
        if (settings.isDora()) {
            throw new CheckpointException(
                    perExpert
                            + ": expected LoRA, found DoRA, which PEFT does not have on experts"
                            + " that are one parameter");
        }
        try (SafetensorsFile file = SafetensorsFile.open(perExpert.resolve(TENSORS))) {
            ExpertAdapters copy = new ExpertAdapters(file, model);
            boolean gateUp = file.contains(single(0, 0) + "w1." + A);
            boolean down = file.contains(single(0, 0) + "w2." + A);
            copy.fuse(gateUp, down);
            settings.fuse(gateUp, down);
            write(target, settings, copy.tensors);
        }
    }

    /** What the names of one expert's tensors begin with. */
    private static String single(int layer, int expert) {
        return "base_model.model.model.layers."
                + layer
                + ".block_sparse_moe.experts."
                + expert
                + ".";
    }

    /** What the names of all experts' tensors begin with: an adapter lies within the other. */
    private static String fused(int layer) {
        return "base_model.model.model.layers." + layer + ".mlp.experts.";
    }

    /** Returns whether all pairs of gate and up came apart into two of half the rank. */
    private boolean split() throws IOException {
        Map<String, LowRankMatrices> gateUps = new LinkedHashMap<>();
        for (int layer = 0; layer < model.layers().size(); layer++) {
            for (String depth : List.of("base_layer.", "")) {
                String prefix = fused(layer) + depth;
                if (file.contains(prefix + A)) {
                    LowRankMatrices all = read(prefix, experts);
                    boolean gateUp = isGateUp(all, layer, prefix);
                    for (int e = 0; e < experts; e++) {
                        LowRankMatrices one = all.expert(e, experts);
                        if (gateUp) {
                            gateUps.put(single(layer, e), one);
                        } else {
                            one.writeTo(tensors, single(layer, e) + "w2.");
                        }
                    }
                }
            }
        }
        boolean halved = gateUps.values().stream().allMatch(LowRankMatrices::isBlockDiagonal);
        gateUps.forEach(
                (prefix, both) -> {
                    int half = both.out() / 2;
                    int rank = halved ? both.rank() / 2 : both.rank();
                    int second = halved ? rank : 0;
                    both.part(0, half, 0, rank).writeTo(tensors, prefix + "w1.");
                    both.part(half, half, second, rank).writeTo(tensors, prefix + "w3.");
                });
        return halved;
    }

    private boolean isGateUp(LowRankMatrices all, int layer, String prefix)
            throws CheckpointException {
        int hidden = model.hiddenSize();
        int width = model.layers().get(layer).ffnWidth();
        boolean gateUp = all.in() == hidden && all.out() == 2 * width;
        if (!gateUp && !(all.in() == width && all.out() == hidden)) {
            throw wrong(
                    prefix,
                    "from " + hidden + " to " + 2 * width + " or from " + width + " to " + hidden,
                    "from " + all.in() + " to " + all.out());
        }
        return gateUp;
    }

    private void fuse(boolean gateUp, boolean down) throws IOException {
        for (int layer = 0; layer < model.layers().size(); layer++) {
            LowRankMatrices[] gateUps = new LowRankMatrices[experts];
            LowRankMatrices[] downs = new LowRankMatrices[experts];
            for (int e = 0; e < experts; e++) {
                String prefix = single(layer, e);
                if (gateUp) {
                    gateUps[e] =
                            LowRankMatrices.stacked(
                                    read(prefix + "w1.", 1), read(prefix + "w3.", 1));
                }
                if (down) {
                    downs[e] = read(prefix + "w2.", 1);
                }
            }
            String prefix = fused(layer);
            if (gateUp) {
                together(gateUps, prefix).writeTo(tensors, down ? prefix + "base_layer." : prefix);
            }
            if (down) {
                together(downs, prefix).writeTo(tensors, prefix);
            }
        }
    }

    private LowRankMatrices together(LowRankMatrices[] each, String prefix)
            throws CheckpointException {
        for (LowRankMatrices one : each) {
            if (!one.hasShapeOf(each[0])) {
                throw wrong(prefix, "one rank for all experts", each[0].rank() + ", " + one.rank());
            }
        }
        return LowRankMatrices.together(each);
    }

    /** Reads the pair of one expert, or of several together. */
    private LowRankMatrices read(String prefix, int count) throws IOException {
        if (!file.contains(prefix + A) || !file.contains(prefix + B)) {
            throw wrong(prefix, "lora_A and lora_B, as all experts have", "none");
        }
        List<Long> a = file.tensor(prefix + A).shape();
        List<Long> b = file.tensor(prefix + B).shape();
        boolean fits = a.size() == 2 && b.size() == 2 && a.get(0).equals(b.get(1));
        if (!fits || a.get(0) % count != 0) {
            String rank = count == 1 ? "r" : count + " r";
            throw wrong(prefix, "(" + rank + ", in) and (out, " + rank + ")", a + " and " + b);
        }
        return new LowRankMatrices(
                file.toFloats(prefix + A),
                file.toFloats(prefix + B),
                Math.toIntExact(a.get(0) / count),
                Math.toIntExact(a.get(1)),
                Math.toIntExact(b.get(0)));
    }

    private CheckpointException wrong(String prefix, String expected, String found) {
        return new CheckpointException(
                file.path() + ": " + prefix + ": expected " + expected + ", found " + found);
    }

    private static void write(
            Path target, ExpertAdapterSettings settings, Map<String, TensorSource> tensors)
            throws IOException {
        Files.createDirectories(target);
        Path weights = target.resolve(TENSORS);
        String config = GSON.toJson(settings.json());
        Map<Path, AtomicFiles.ChannelWriter> files = new LinkedHashMap<>();
        files.put(weights, SafetensorsWriter.writer(weights, tensors, SafetensorsWriter.PYTORCH));
        files.put(
                target.resolve(ExpertAdapterSettings.FILE), channel -> writeText(channel, config));
        AtomicFiles.writeTogether(files);
    }

    private static void writeText(WritableByteChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
