package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.SequentialBlock;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptableEmbedding;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Each pass has a view of its own of an embedding, and all share what is kept of its rows. */
class EmbeddingThreadsTest {

    private static final int THREADS = 4;
    private static final int CALLS = 500;

    @Test
    void fourThreadsGetTheBitsOfOne() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try (NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            AdaptableEmbedding embedding = new AdaptableEmbedding(20, 8, List.of());
            SequentialBlock base = new SequentialBlock().add(embedding);
            base.initialize(manager, DataType.FLOAT32, new Shape(1, 3));
            DoraConfig config =
                    DoraConfig.builder().setRank(2).setTargetModules("AdaptableEmbedding").build();
            try (AdaptedModel adapted = Adapters.attach(base, config, 1)) {
                float[] expected = output(adapted, manager);
                List<Future<?>> done = new ArrayList<>();
                for (int i = 0; i < THREADS; i++) {
                    done.add(
                            threads.submit(
                                    () -> {
                                        for (int call = 0; call < CALLS; call++) {
                                            assertThat(output(adapted, manager))
                                                    .containsExactly(expected);
                                        }
                                    }));
                }
                for (Future<?> each : done) {
                    each.get();
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static float[] output(AdaptedModel adapted, NDManager manager) {
        try (NDManager scope = manager.newSubManager()) {
            NDArray ids = scope.create(new long[] {3, 7, 19}, new Shape(1, 3));
            return adapted.block()
                    .forward(new ParameterStore(scope, false), new NDList(ids), false)
                    .singletonOrThrow()
                    .toFloatArray();
        }
    }
}
