package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.testdata.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

/** A language model whose adapter is swapped for one of another method while requests run. */
class HotswapTest {

    private static final int REQUESTERS = 16;
    private static final int SWAPS = 12;
    private static final Path LORA = TestData.path("golden/llama3/lora");
    private static final Path DORA = TestData.path("golden/llama3/dora");

    private static float[] logits(CausalLm model) {
        try (NDManager scope = NDManager.newBaseManager()) {
            return model.logits(
                            scope,
                            scope.create(new long[] {5, 9, 2, 31, 7, 1}, new Shape(1, 6)),
                            null)
                    .toFloatArray();
        }
    }

    @Test
    void sixteenThreadsSeeOneVersionOrTheOtherInEveryPassOfARequest() throws Exception {
        try (CausalLm model = Golden.load("llama3/model");
                AdaptedModel adapted = Adapters.load(model.block(), DORA)) {
            float[] dora = logits(model);
            adapted.hotswap(AdaptedModel.DEFAULT, LORA);
            float[] lora = logits(model);
            assertThat(lora).isNotEqualTo(dora);
            int arrays = model.manager().getManagedArrays().size();
            AtomicBoolean done = new AtomicBoolean();
            AtomicIntegerArray seen = new AtomicIntegerArray(2);
            ExecutorService threads = Executors.newFixedThreadPool(REQUESTERS);
            try {
                List<Future<?>> all = new ArrayList<>();
                for (int t = 0; t < REQUESTERS; t++) {
                    all.add(threads.submit(() -> request(model, adapted, lora, dora, seen, done)));
                }
                for (int i = 1; i <= SWAPS || seen.get(0) == 0 || seen.get(1) == 0; i++) {
                    adapted.hotswap(AdaptedModel.DEFAULT, i % 2 == 0 ? LORA : DORA);
                    if (all.stream().anyMatch(Future::isDone)) {
                        break; // one has failed, and says how
                    }
                }
                done.set(true);
                for (Future<?> one : all) {
                    one.get(1, TimeUnit.MINUTES);
                }
            } finally {
                done.set(true);
                threads.shutdownNow();
            }
            adapted.hotswap(AdaptedModel.DEFAULT, LORA);
            assertThat(logits(model)).isEqualTo(lora);
            assertThat(model.manager().getManagedArrays()).hasSize(arrays);
        }
    }

    /** A request of two passes, as a generation has many. */
    private static Void request(
            CausalLm model,
            AdaptedModel adapted,
            float[] lora,
            float[] dora,
            AtomicIntegerArray seen,
            AtomicBoolean done) {
        while (!done.get()) {
            try (AdapterScope scope = adapted.use(AdaptedModel.DEFAULT)) {
                float[] first = logits(model);
                assertThat(first).isIn(lora, dora);
                assertThat(logits(model)).isEqualTo(first);
                seen.incrementAndGet(Arrays.equals(first, lora) ? 0 : 1);
            }
            assertThat(logits(model)).isIn(lora, dora);
        }
        return null;
    }
}
