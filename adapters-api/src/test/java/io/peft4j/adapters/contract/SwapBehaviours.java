package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterScope;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.io.TempDir;

/** An adapter that takes another's place while requests run. */
interface SwapBehaviours {

    int REQUESTERS = 16;
    int SWAPS = 40;

    /** Saves an adapter of a rank under a seed, and tells what the model computes with it. */
    private static float[] save(
            AdapterCase c, AdaptedModel adapted, int rank, NDArray x, Path directory)
            throws Exception {
        Adapter adapter = adapted.add("saved", c.config(rank));
        c.randomise(adapter, rank);
        adapter.save(directory);
        float[] output;
        try (AdapterScope scope = adapted.use("saved")) {
            output = c.run(adapted.block(), x);
        }
        adapted.delete("saved");
        return output;
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aSwappedAdapterIsInEffectWhereTheOldOneWasAndNowhereElse(
            AdapterCase c, @TempDir Path directory) throws Exception {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        float[] base = c.run(adapted.block(), x);
        float[] three = save(c, adapted, 3, x, directory);
        Adapter old = adapted.add("live", c.config());
        adapted.hotswap("live", directory);
        assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT, "live");
        assertThat(c.run(adapted.block(), x)).isEqualTo(base); // not in effect, as before
        adapted.activate("live");
        assertThat(c.run(adapted.block(), x)).isEqualTo(three);
        assertThatThrownBy(() -> old.save(directory))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("live");
        adapted.activate(AdaptedModel.DEFAULT);
        Adapter swapped = adapted.hotswap(AdaptedModel.DEFAULT, directory);
        assertThat(adapted.adapter()).isSameAs(swapped);
        assertThat(c.run(adapted.block(), x)).isEqualTo(three);
        assertThat(swapped.parameters().values()).anyMatch(p -> p.requiresGradient());
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aSwapThatFailsChangesNothing(AdapterCase c, @TempDir Path directory) {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        c.randomise(adapted.adapter(), 2);
        float[] before = c.run(adapted.block(), x);
        Path missing = directory.resolve("missing");
        adapted.merge();
        assertThatThrownBy(() -> adapted.hotswap(AdaptedModel.DEFAULT, missing))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("merged");
        adapted.unmerge();
        assertThat(c.run(adapted.block(), x)).isEqualTo(before);
        int arrays = c.arrays(); // after a pass: a method may keep what it has computed
        assertThatThrownBy(() -> adapted.hotswap(AdaptedModel.DEFAULT, missing))
                .isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> adapted.hotswap("nobody", missing))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("nobody");
        assertThat(c.run(adapted.block(), x)).isEqualTo(before);
        assertThat(c.arrays()).isEqualTo(arrays);
    }

    /**
     * Half of the threads ask within a scope, twice each time, and half by what is active: every
     * answer is one version's to the last bit, and within a scope it stays the same.
     */
    @AdapterSpec(rank = 2, bias = false)
    default void sixteenThreadsSeeOneVersionOrTheOtherAndTheOldOneIsFreed(
            AdapterCase c, @TempDir Path directory) throws Exception {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        Path two = directory.resolve("two");
        Path three = directory.resolve("three");
        List<float[]> versions =
                List.of(save(c, adapted, 2, x, two), save(c, adapted, 3, x, three));
        assertThat(versions.get(0)).isNotEqualTo(versions.get(1));
        adapted.hotswap(AdaptedModel.DEFAULT, two);
        c.run(adapted.block(), x);
        int arrays = c.arrays(); // after a pass: a method may keep what it has computed
        AtomicBoolean done = new AtomicBoolean();
        AtomicIntegerArray seen = new AtomicIntegerArray(2);
        ExecutorService threads = Executors.newFixedThreadPool(REQUESTERS);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < REQUESTERS; t++) {
                boolean scoped = t % 2 == 0;
                all.add(
                        threads.submit(
                                () -> {
                                    while (!done.get()) {
                                        int version =
                                                scoped
                                                        ? twice(c, adapted, x, versions)
                                                        : version(c, adapted, x, versions);
                                        seen.incrementAndGet(version);
                                    }
                                }));
            }
            for (int i = 1; i <= SWAPS || seen.get(0) == 0 || seen.get(1) == 0; i++) {
                adapted.hotswap(AdaptedModel.DEFAULT, i % 2 == 0 ? two : three);
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
        adapted.hotswap(AdaptedModel.DEFAULT, two);
        assertThat(version(c, adapted, x, versions)).isZero();
        assertThat(c.arrays()).isEqualTo(arrays);
    }

    private static int twice(
            AdapterCase c, AdaptedModel adapted, NDArray x, List<float[]> versions) {
        try (AdapterScope scope = adapted.use(AdaptedModel.DEFAULT)) {
            int first = version(c, adapted, x, versions);
            assertThat(version(c, adapted, x, versions)).isEqualTo(first);
            return first;
        }
    }

    private static int version(
            AdapterCase c, AdaptedModel adapted, NDArray x, List<float[]> versions) {
        float[] y = c.run(adapted.block(), x);
        assertThat(y).isIn(versions.get(0), versions.get(1));
        return java.util.Arrays.equals(y, versions.get(0)) ? 0 : 1;
    }
}
