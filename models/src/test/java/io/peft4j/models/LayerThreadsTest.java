package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Layers by kernels in several threads at once. */
class LayerThreadsTest {

    private static final int THREADS = 4;
    private static final int ROUNDS = 12;

    private final ExecutorService pool = Executors.newFixedThreadPool(THREADS);

    @AfterEach
    void stop() {
        pool.shutdownNow();
    }

    private <T> List<T> inAllThreads(Callable<T> task) throws Exception {
        List<Future<T>> futures = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            futures.add(pool.submit(task));
        }
        List<T> results = new ArrayList<>();
        for (Future<T> future : futures) {
            results.add(future.get());
        }
        return results;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "mixtral"})
    void readersOfAModelDoNotDisturbEachOther(String family) throws Exception {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, "dora", 0, "all-linear")) {
            List<double[]> expected = new ArrayList<>();
            for (int round = 0; round < ROUNDS; round++) {
                expected.add(losses(model, round));
            }
            inAllThreads(
                    () -> {
                        for (int round = 0; round < ROUNDS; round++) {
                            assertThat(losses(model, round)).containsExactly(expected.get(round));
                        }
                        return true;
                    });
            assertThat(adapted.adapter().parameters()).isNotEmpty();
        }
    }

    private static double[] losses(CausalLm model, int round) {
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope, round, 1 + round % 3, 5 + round);
            return model.rowLosses(ids, ids);
        }
    }

    @Test
    void modelsAreTrainedBesideEachOther() throws Exception {
        Map<String, float[]> alone = trained();
        for (Map<String, float[]> beside : inAllThreads(LayerThreadsTest::trained)) {
            assertThat(beside).hasSameSizeAs(alone);
            beside.forEach((name, values) -> assertThat(values).containsExactly(alone.get(name)));
        }
    }

    private static Map<String, float[]> trained() {
        try (CausalLm model = TinyModels.model("mixtral");
                AdaptedModel adapted = TinyAdapters.attach(model, "dora", 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            for (int round = 0; round < ROUNDS; round++) {
                NDArray ids = TinyModels.ids(scope, round, 2, 5 + round);
                model.backward(ids, ids, 10);
            }
            assertThat(model.wasByLayerKernels()).isTrue();
            return new TreeMap<>(TinyAdapters.takeGradients(adapted));
        }
    }
}
