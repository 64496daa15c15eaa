package io.peft4j.benchmarks;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.Tensors;
import io.peft4j.torchscript.TorchScriptBlock;
import io.peft4j.tuning.PeakMemory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Requests for one of three adapters on a traced encoder, from several threads at once: the second
 * part of {@code benchmarks/hosted}.
 *
 * <pre>
 * HostedServing ARCHIVE COPIES SECONDS THREADS...
 * </pre>
 */
public final class HostedServing {

    private static final int TOKENS = 32;
    private static final int ADAPTERS = 3;

    private HostedServing() {}

    /**
     * Prints requests per second for each number of threads, without and with adapters.
     *
     * @param args the archive, the number of copies of the module, how long to measure, and numbers
     *     of threads
     * @throws Exception if the archive cannot be read
     */
    public static void main(String[] args) throws Exception {
        PeakMemory memory = PeakMemory.start();
        double seconds = Double.parseDouble(args[2]);
        try (NDManager manager = NDManager.newBaseManager();
                TorchScriptBlock block = TorchScriptBlock.load(Path.of(args[0]), "model", manager);
                AdaptedModel adapted = Adapters.attach(block, config())) {
            for (int i = 1; i < ADAPTERS; i++) {
                adapted.add("a" + i, config());
            }
            long start = System.nanoTime();
            block.setCopies(Integer.parseInt(args[1]));
            double loading = (System.nanoTime() - start) / 1e9;
            for (int threads : Arrays.stream(args).skip(3).mapToInt(Integer::parseInt).toArray()) {
                measure(manager, adapted, threads, 1, true); // warm up
                System.out.printf(
                        Locale.ROOT,
                        "%s copies, %d threads: base %.1f requests/s, adapters %.1f requests/s%n",
                        args[1],
                        threads,
                        measure(manager, adapted, threads, seconds, false),
                        measure(manager, adapted, threads, seconds, true));
            }
            System.out.printf(
                    Locale.ROOT,
                    "%s copies: loaded in %.2f s, peak %.0f MB%n",
                    args[1],
                    loading,
                    memory.read().megabytes());
        }
    }

    private static LoraConfig config() {
        return LoraConfig.builder()
                .setRank(8)
                .setTargetModules("query", "key", "value", "dense")
                .build();
    }

    private static double measure(
            NDManager manager, AdaptedModel adapted, int threads, double seconds, boolean adapters)
            throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        AtomicInteger served = new AtomicInteger();
        long start = System.nanoTime();
        long end = start + (long) (seconds * 1e9);
        List<Future<?>> results = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            String name = i % ADAPTERS == 0 ? "default" : "a" + i % ADAPTERS;
            Callable<Object> requests =
                    () -> {
                        while (System.nanoTime() < end) {
                            try (AdapterScope scope =
                                            adapters
                                                    ? adapted.use(name)
                                                    : adapted.disableAdapter();
                                    NDManager own = manager.newSubManager()) {
                                adapted.block()
                                        .forward(new ParameterStore(own, false), inputs(own), false)
                                        .singletonOrThrow()
                                        .toFloatArray();
                            }
                            served.incrementAndGet();
                        }
                        return null;
                    };
            results.add(pool.submit(requests));
        }
        for (Future<?> result : results) {
            result.get();
        }
        pool.shutdown();
        return served.get() / ((System.nanoTime() - start) / 1e9);
    }

    /** One text. */
    private static NDList inputs(NDManager own) {
        long[] ids = new long[TOKENS];
        long[] mask = new long[TOKENS];
        Arrays.setAll(ids, i -> i * 37L % 1000);
        Arrays.fill(mask, 1);
        Shape shape = new Shape(1, TOKENS);
        return new NDList(Tensors.of(own, ids, shape), Tensors.of(own, mask, shape));
    }
}
