package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;

/** Adapters that are in effect, or off, within a scope of one thread. */
interface ScopeBehaviours {

    @AdapterSpec(rank = 2)
    default void aDisabledAdapterIsTheBaseModelAlsoNestedAndAfterAnException(AdapterCase c) {
        NDArray x = c.input();
        float[] base = c.run(c.base(), x);
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        float[] active = c.run(adapted.block(), x);
        assertThat(active).isNotEqualTo(base);
        try (AdapterScope outer = adapted.disableAdapter()) {
            try (AdapterScope inner = adapted.disableAdapter()) {
                assertThat(c.run(adapted.block(), x)).isEqualTo(base);
                assertThat(adapted.active()).isEmpty();
            }
            assertThat(c.run(adapted.block(), x)).isEqualTo(base);
        }
        assertThatThrownBy(
                        () -> {
                            try (AdapterScope off = adapted.disableAdapter()) {
                                throw new IllegalStateException("in the scope");
                            }
                        })
                .hasMessage("in the scope");
        assertThat(c.run(adapted.block(), x)).isEqualTo(active);
        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aScopeChoosesForItsThreadAlone(AdapterCase c) throws Exception {
        NDArray x = c.input();
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        c.randomise(adapted.add("other", c.config(3)), 3);
        float[] first = c.run(adapted.block(), x);
        adapted.activate("other");
        float[] second = c.run(adapted.block(), x);
        assertThat(second).isNotEqualTo(first);
        try (OtherThread thread = new OtherThread();
                AdapterScope scope = adapted.use(AdaptedModel.DEFAULT)) {
            assertThat(c.run(adapted.block(), x)).isEqualTo(first);
            assertThat(thread.call(() -> c.run(adapted.block(), x))).isEqualTo(second);
            assertThat(thread.call(adapted::active)).containsExactly("other");
            adapted.activate(); // not within the scope
            assertThat(c.run(adapted.block(), x)).isEqualTo(first);
            try (AdapterScope inner = adapted.use("other")) {
                assertThat(c.run(adapted.block(), x)).isEqualTo(second);
            }
            assertThat(c.run(adapted.block(), x)).isEqualTo(first);
        }
        assertThat(adapted.active()).isEmpty();
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aScopeIsClosedOnceAndInItsOwnThread(AdapterCase c) throws Exception {
        AdaptedModel adapted = c.attach();
        AdapterScope outer = adapted.disableAdapter();
        AdapterScope inner = adapted.use(AdaptedModel.DEFAULT);
        try (OtherThread thread = new OtherThread()) {
            assertThatThrownBy(() -> thread.run(inner::close))
                    .hasCauseInstanceOf(IllegalStateException.class);
        }
        outer.close();
        outer.close();
        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
        inner.close();
        inner.close();
        adapted.merge();
    }
}
