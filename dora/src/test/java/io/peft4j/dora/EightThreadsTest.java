package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.Tensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests of eight adapters at once on one base, while a ninth thread changes the adapters. */
class EightThreadsTest {

    private static final int ADAPTERS = 8;
    private static final int CALLS = 2000;
    private static final int INPUTS = 5;
    private static final long IN = 12;

    @TempDir Path directory;

    @Test
    void everyCallGivesTheBitsOfOneThreadWhileAdaptersComeAndGo() throws Exception {
        try (NDManager manager = NDManager.newBaseManager()) {
            SequentialBlock base = base(manager);
            int arrays = manager.getManagedArrays().size();
            try (AdaptedModel adapted = Adapters.attach(base, config(0))) {
                List<float[][]> expected = new ArrayList<>();
                for (int i = 0; i < ADAPTERS; i++) {
                    randomise(adapted.add("adapter" + i, config(i)), i);
                    expected.add(outputs(adapted, manager, i));
                }
                adapted.adapter("adapter1").save(directory);
                assertThat(run(adapted, manager, expected)).isPositive();
            }
            assertThat(manager.getManagedArrays()).hasSize(arrays);
        }
    }

    /** LoRA and DoRA by turns, of ranks 1 to 8. */
    private static AdapterConfig config(int i) {
        return i % 2 == 0
                ? LoraConfig.builder().setRank(i + 1).setTargetModules("all-linear").build()
                : DoraConfig.builder().setRank(i + 1).setTargetModules("all-linear").build();
    }

    private static SequentialBlock base(NDManager manager) {
        SequentialBlock base =
                new SequentialBlock()
                        .add(Linear.builder().setUnits(8).build())
                        .add(Activation.tanhBlock());
        base.initialize(manager, DataType.FLOAT32, new Shape(1, IN));
        base.getParameters().values().forEach(parameter -> randomise(parameter, 99));
        return base;
    }

    private static void randomise(Adapter adapter, long seed) {
        adapter.parameters().values().forEach(parameter -> randomise(parameter, seed));
    }

    private static void randomise(Parameter parameter, long seed) {
        NDManager owner = parameter.getArray().getManager();
        try (NDArray values = random(owner, parameter.getShape(), seed)) {
            Tensors.copy(values, parameter.getArray());
        }
    }

    private static NDArray random(NDManager owner, Shape shape, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (0.4 * random.nextGaussian());
        }
        return Tensors.of(owner, values, shape);
    }

    private static float[][] outputs(AdaptedModel adapted, NDManager manager, int adapter) {
        float[][] outputs = new float[INPUTS][];
        try (NDManager scope = manager.newSubManager()) {
            for (int i = 0; i < INPUTS; i++) {
                outputs[i] = call(adapted, adapter, random(scope, new Shape(2, IN), i));
            }
        }
        return outputs;
    }

    private static float[] call(AdaptedModel adapted, int adapter, NDArray input) {
        try (AdapterScope scope = adapted.use("adapter" + adapter);
                NDManager request = input.getManager().newSubManager();
                NDArray x = input.reshape(input.getShape())) {
            x.attach(request);
            ParameterStore store = new ParameterStore(request, false);
            return adapted.block().forward(store, new NDList(x), false).head().toFloatArray();
        }
    }

    /** Returns how many of the calls of one thread gave other bits than expected. */
    private static int wrong(
            AdaptedModel adapted, NDManager manager, int adapter, float[][] expected) {
        int wrong = 0;
        try (NDManager scope = manager.newSubManager()) {
            NDArray[] inputs = new NDArray[INPUTS];
            for (int i = 0; i < INPUTS; i++) {
                inputs[i] = random(scope, new Shape(2, IN), i);
            }
            for (int n = 0; n < CALLS; n++) {
                int i = n % INPUTS;
                wrong += Arrays.equals(call(adapted, adapter, inputs[i]), expected[i]) ? 0 : 1;
            }
        }
        return wrong;
    }

    /** Returns how many times adapters were added and taken away meanwhile. */
    private int run(AdaptedModel adapted, NDManager manager, List<float[][]> expected)
            throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(ADAPTERS + 1);
        AtomicBoolean done = new AtomicBoolean();
        CountDownLatch changed = new CountDownLatch(1);
        try {
            Future<Integer> changes = threads.submit(() -> comeAndGo(adapted, changed, done));
            List<Future<Integer>> all = new ArrayList<>();
            for (int i = 0; i < ADAPTERS; i++) {
                int adapter = i;
                all.add(
                        threads.submit(
                                () -> {
                                    changed.await();
                                    return wrong(adapted, manager, adapter, expected.get(adapter));
                                }));
            }
            for (Future<Integer> one : all) {
                assertThat(one.get(4, TimeUnit.MINUTES)).isZero();
            }
            done.set(true);
            return changes.get(1, TimeUnit.MINUTES);
        } finally {
            done.set(true);
            threads.shutdownNow();
        }
    }

    private int comeAndGo(AdaptedModel adapted, CountDownLatch changed, AtomicBoolean done)
            throws Exception {
        int rounds = 0;
        while (!done.get()) {
            adapted.add("added", config(rounds % ADAPTERS));
            adapted.load("loaded", directory);
            adapted.activate("loaded", "added", "adapter0");
            adapted.delete("added");
            adapted.activate();
            adapted.delete("loaded");
            rounds++;
            changed.countDown();
            Thread.sleep(1);
        }
        return rounds;
    }
}
