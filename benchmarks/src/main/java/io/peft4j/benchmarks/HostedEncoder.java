package io.peft4j.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torchscript.TorchScriptBlock;
import io.peft4j.tuning.AdamWOptimizer;
import io.peft4j.tuning.PeakMemory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/**
 * Training steps of a traced BERT classifier, all linear layers adapted: the Java side of {@code
 * benchmarks/hosted}, whose other side is {@code hosted_peer.py}.
 *
 * <pre>
 * HostedEncoder ARCHIVE lora|dora STEPS
 * </pre>
 */
public final class HostedEncoder {

    private static final int BATCH = 8;
    private static final int TOKENS = 64;
    private static final int VOCABULARY = 1000;
    private static final int WARM_UP = 2;

    private HostedEncoder() {}

    /**
     * Runs the benchmark and prints the median and the least of the step times and the peak memory.
     *
     * @param args the archive, the method and the number of steps
     * @throws IOException if the archive cannot be read
     */
    public static void main(String[] args) throws IOException {
        Path archive = Path.of(args[0]);
        double[] seconds = new double[Integer.parseInt(args[2])];
        PeakMemory memory = PeakMemory.start();
        try (NDManager manager = NDManager.newBaseManager();
                TorchScriptBlock block = TorchScriptBlock.load(archive, "model", manager);
                AdaptedModel adapted = Adapters.attach(block, config(args[1]));
                AdamWOptimizer optimizer =
                        AdamWOptimizer.builder()
                                .optLearningRateTracker(Tracker.fixed(1e-3f))
                                .build()) {
            Map<String, Parameter> parameters = adapted.adapter().parameters();
            parameters.values().forEach(p -> p.getArray().setRequiresGradient(true));
            for (int i = -WARM_UP; i < seconds.length; i++) {
                long start = System.nanoTime();
                step(manager, adapted, optimizer, parameters);
                if (i >= 0) {
                    seconds[i] = (System.nanoTime() - start) / 1e9;
                }
            }
        }
        Arrays.sort(seconds);
        System.out.printf(
                Locale.ROOT,
                "peft4j %s: median %.3f s, least %.3f s, peak %.0f MB%n",
                args[1],
                seconds[seconds.length / 2],
                seconds[0],
                memory.read().megabytes());
    }

    private static AdapterConfig config(String method) {
        String[] targets = {"query", "key", "value", "dense"};
        return switch (method) {
            case "lora" ->
                    LoraConfig.builder().setRank(8).optAlpha(16).setTargetModules(targets).build();
            case "dora" ->
                    DoraConfig.builder().setRank(8).optAlpha(16).setTargetModules(targets).build();
            default -> throw new IllegalArgumentException("lora or dora, not " + method);
        };
    }

    private static void step(
            NDManager manager,
            AdaptedModel adapted,
            AdamWOptimizer optimizer,
            Map<String, Parameter> parameters) {
        try (NDManager scope = manager.newSubManager()) {
            try (GradMode on = GradMode.enabled()) {
                NDList outputs =
                        adapted.block()
                                .forward(new ParameterStore(scope, false), inputs(scope), true);
                NDArray loss =
                        Loss.softmaxCrossEntropyLoss().evaluate(new NDList(labels(scope)), outputs);
                Gradients.backward(loss);
            }
            try (GradMode off = GradMode.disabled()) {
                parameters.forEach(
                        (key, parameter) -> {
                            try (NDArray gradient = parameter.getArray().getGradient()) {
                                optimizer.update(key, parameter.getArray(), gradient);
                            }
                            Gradients.zero(parameter.getArray());
                        });
            }
        }
    }

    private static NDList inputs(NDManager scope) {
        long[] ids = new long[BATCH * TOKENS];
        long[] mask = new long[BATCH * TOKENS];
        Arrays.setAll(ids, i -> i * 37L % VOCABULARY);
        Arrays.fill(mask, 1);
        Shape shape = new Shape(BATCH, TOKENS);
        return new NDList(Tensors.of(scope, ids, shape), Tensors.of(scope, mask, shape));
    }

    private static NDArray labels(NDManager scope) {
        float[] labels = new float[BATCH];
        for (int i = 0; i < BATCH; i++) {
            labels[i] = i % 3;
        }
        return Tensors.of(scope, labels, new Shape(BATCH));
    }
}
