package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.nn.UninitializedParameterException;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Site;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.io.TempDir;

/** What is freed, when, and what can be done with it afterwards. */
interface LifetimeBehaviours {

    @AdapterSpec(rank = 2, bias = false)
    default void aClosedStateHasFreedAllItMadeAndMayBeClosedAgain(AdapterCase c) {
        for (Site site : c.sites()) {
            try (NDManager owner = c.scratch().newSubManager()) {
                NDArray weight = c.matrix(site);
                AdapterState state = c.config().create(site, weight, owner, 3);
                assertThat(owner.getManagedArrays()).isNotEmpty();
                state.close();
                state.close();
                assertThat(owner.getManagedArrays()).isEmpty();
            }
        }
    }

    @AdapterSpec(rank = 2)
    default void closingTwiceFreesOnceAndGivesTheBaseBack(AdapterCase c) {
        int arrays = c.arrays();
        NDArray x = c.input();
        float[] base = c.run(c.base(), x);
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        c.run(adapted.block(), x);
        adapted.add("other", c.config());
        assertThat(c.arrays()).isGreaterThan(arrays);
        adapted.close();
        adapted.close();
        assertThat(c.arrays()).isEqualTo(arrays);
        assertThat(c.run(c.base(), x)).isEqualTo(base);
        assertThat(c.run(adapted.block(), x)).isEqualTo(base);
        assertThat(adapted.block().getParameters()).hasSameSizeAs(c.base().getParameters());
    }

    @AdapterSpec(rank = 2, bias = false)
    default void addingAndDeletingLeavesNoArraysBehind(AdapterCase c, @TempDir Path directory)
            throws Exception {
        AdaptedModel adapted = c.attach();
        adapted.save(directory);
        int before = c.arrays();
        NDArray x = c.input();
        for (int i = 0; i < 5; i++) {
            adapted.add("added", c.config(1 + i));
            adapted.load("loaded", directory);
            adapted.activate("loaded", "added");
            c.run(adapted.block(), x);
            try (AdapterScope scope = adapted.use("added")) {
                c.run(adapted.block(), x);
            }
            adapted.delete("added");
            adapted.delete("loaded");
        }
        assertThat(c.arrays()).isEqualTo(before);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aClosedModelRefusesEveryUse(AdapterCase c, @TempDir Path directory)
            throws Exception {
        AdaptedModel adapted = c.attach();
        Adapter adapter = adapted.adapter();
        adapted.save(directory);
        adapted.close();
        ThrowingCallable[] all = {
            adapted::merge,
            adapted::unmerge,
            adapted::mergeAndUnload,
            adapted::adapter,
            adapted::summary,
            adapted::disableAdapter,
            () -> adapted.adapter(AdaptedModel.DEFAULT),
            () -> adapted.add("new", c.config()),
            () -> adapted.load("new", directory),
            () -> adapted.activate(AdaptedModel.DEFAULT),
            () -> adapted.use(AdaptedModel.DEFAULT),
            () -> adapted.delete(AdaptedModel.DEFAULT),
            () -> adapted.save(directory),
        };
        for (ThrowingCallable one : all) {
            assertThatThrownBy(one)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
        }
        assertRefusesUse(c, adapter, directory);
    }

    private static void assertRefusesUse(AdapterCase c, Adapter adapter, Path directory) {
        ThrowingCallable[] all = {
            () -> adapter.save(directory),
            () -> adapter.load(directory),
            () -> adapter.loadLeniently(directory),
            () -> adapter.delta(c.scratch(), c.sites().get(0).path()),
        };
        for (ThrowingCallable one : all) {
            assertThatThrownBy(one)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining(adapter.name());
        }
        for (Parameter parameter : adapter.parameters().values()) {
            assertThatThrownBy(parameter::getArray)
                    .isInstanceOf(UninitializedParameterException.class);
        }
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aDeletedAdapterRefusesUse(AdapterCase c, @TempDir Path directory)
            throws Exception {
        AdaptedModel adapted = c.attach();
        Adapter other = adapted.add("other", c.config());
        other.save(directory);
        adapted.delete("other");
        assertRefusesUse(c, other, directory);
        assertThatThrownBy(() -> adapted.adapter("other"))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aDeletedAdapterStaysInEffectInAScopeThatUsesIt(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        float[] without = c.run(adapted.block(), x);
        int arrays = c.arrays(); // after a pass: a method may keep what it has computed
        Adapter other = adapted.add("other", c.config());
        c.randomise(other, 2);
        try (AdapterScope scope = adapted.use("other")) {
            float[] with = c.run(adapted.block(), x);
            assertThat(with).isNotEqualTo(without);
            adapted.delete("other");
            assertThat(c.run(adapted.block(), x)).isEqualTo(with);
            c.randomise(adapted.add("other", c.config()), 3);
            assertThat(c.run(adapted.block(), x)).isEqualTo(with);
            adapted.delete("other");
        }
        assertThat(c.arrays()).isEqualTo(arrays);
        assertThat(c.run(adapted.block(), x)).isEqualTo(without);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void closingWithinAScopeFreesWithTheScope(AdapterCase c) {
        int arrays = c.arrays();
        NDArray x = c.input();
        float[] base = c.run(c.base(), x);
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        try (AdapterScope scope = adapted.use(AdaptedModel.DEFAULT)) {
            adapted.close();
            assertThat(c.run(adapted.block(), x)).isEqualTo(base);
        }
        assertThat(c.arrays()).isEqualTo(arrays);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void theBaseMayBeClosedBeforeItsAdapters(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        NDManager gone = c.scratch().newSubManager();
        AdapterState state =
                c.config().create(c.sites().get(0), c.matrix(c.sites().get(0)), gone, 1);
        gone.close();
        assertThatCode(state::close).doesNotThrowAnyException();
        assertThat(adapted.names()).hasSize(1);
    }
}
