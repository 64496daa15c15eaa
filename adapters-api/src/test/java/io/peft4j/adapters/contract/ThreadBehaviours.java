package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.io.TempDir;

/** Inference in several threads while adapters come and go. */
interface ThreadBehaviours {

    int CALLS = 25;

    @AdapterSpec(rank = 2, bias = true)
    default void threadsWithScopesGetTheBitsOfOneThread(AdapterCase c, @TempDir Path directory)
            throws Exception {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        Map<String, float[]> expected = new LinkedHashMap<>();
        for (int i = 0; i < 3; i++) {
            String name = "adapter" + i;
            c.randomise(adapted.add(name, i == 1 ? c.another() : c.config(1 + i)), i);
            try (AdapterScope scope = adapted.use(name)) {
                expected.put(name, c.run(adapted.block(), x));
            }
        }
        adapted.adapter().save(directory);
        AtomicBoolean done = new AtomicBoolean();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            Future<?> changes = threads.submit(() -> comeAndGo(c, adapted, directory, done));
            List<Future<?>> all = new ArrayList<>();
            expected.forEach(
                    (name, output) ->
                            all.add(
                                    threads.submit(
                                            () -> {
                                                for (int i = 0; i < CALLS; i++) {
                                                    try (AdapterScope scope = adapted.use(name)) {
                                                        assertThat(c.run(adapted.block(), x))
                                                                .isEqualTo(output);
                                                    }
                                                }
                                            })));
            for (Future<?> one : all) {
                one.get(1, TimeUnit.MINUTES);
            }
            done.set(true);
            changes.get(1, TimeUnit.MINUTES);
        } finally {
            done.set(true);
            threads.shutdownNow();
        }
    }

    private static Void comeAndGo(
            AdapterCase c, AdaptedModel adapted, Path directory, AtomicBoolean done)
            throws Exception {
        while (!done.get()) {
            adapted.add("added", c.config());
            adapted.load("loaded", directory);
            adapted.activate("added", "loaded");
            adapted.delete("added");
            adapted.activate();
            adapted.delete("loaded");
        }
        return null;
    }

    @AdapterSpec(rank = 2, bias = false)
    default void anAdapterDeletedDuringForwardsIsFreedAfterThem(AdapterCase c) throws Exception {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        c.run(adapted.block(), x);
        int arrays = c.arrays(); // after a pass: a method may keep what it has computed
        float[] without;
        try (AdapterScope off = adapted.disableAdapter()) {
            without = c.run(adapted.block(), x);
        }
        c.randomise(adapted.add("other", c.config(), 5), 5);
        float[] with;
        try (AdapterScope scope = adapted.use("other")) {
            with = c.run(adapted.block(), x);
        }
        adapted.delete("other");
        AtomicBoolean done = new AtomicBoolean();
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            Future<?> running =
                    threads.submit(
                            () -> {
                                while (!done.get()) {
                                    float[] y = c.run(adapted.block(), x);
                                    assertThat(y).isIn(without, with);
                                }
                            });
            for (int i = 0; i < CALLS && !running.isDone(); i++) {
                adapted.activate();
                c.randomise(adapted.add("other", c.config(), 5), 5);
                adapted.activate("other");
                adapted.delete("other");
            }
            done.set(true);
            running.get(1, TimeUnit.MINUTES);
        } finally {
            done.set(true);
            threads.shutdownNow();
        }
        assertThat(c.arrays()).isEqualTo(arrays);
    }
}
