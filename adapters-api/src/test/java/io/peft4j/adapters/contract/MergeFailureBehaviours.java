package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.NonFiniteMergeException;
import io.peft4j.adapters.Site;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.io.TempDir;

/** Merges that are refused, and what is refused while merged. */
interface MergeFailureBehaviours {

    @AdapterSpec(
            rank = 2,
            bias = false,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void aMergeThatIsNotFiniteIsRefusedAndChangesNothing(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        Site last = c.sites().get(c.sites().size() - 1);
        Map<String, IntBuffer> before = c.bits();
        int arrays = c.arrays();
        for (float poison : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            poison(c, adapted, last, poison);
            for (ThrowingCallable merging :
                    new ThrowingCallable[] {adapted::merge, adapted::mergeAndUnload}) {
                assertThatThrownBy(merging)
                        .isInstanceOf(NonFiniteMergeException.class)
                        .hasMessageContaining(last.path());
                assertThat(adapted.isMerged()).isFalse();
                assertThat(c.bits()).isEqualTo(before);
                assertThat(c.arrays()).isEqualTo(arrays);
                assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
            }
        }
    }

    private static void poison(AdapterCase c, AdaptedModel adapted, Site site, float value) {
        for (Parameter p : adapted.adapter().states().get(site.path()).parameters().values()) {
            try (NDArray values = c.scratch().full(p.getShape(), value)) {
                AdapterCase.set(p, values);
            }
        }
    }

    @AdapterSpec(
            rank = 2,
            bias = false,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void aMergeThatFailsAtTheLastWeightRestoresTheOthers(AdapterCase c) {
        AdaptedModel adapted = c.attach(new FailingConfig(c.config(), c.sites().size() - 1, 0));
        c.randomise(adapted.adapter(), 2);
        Map<String, IntBuffer> before = c.bits();
        int arrays = c.arrays();
        assertThatThrownBy(adapted::merge).hasMessage(FailingConfig.MESSAGE);
        assertThat(adapted.isMerged()).isFalse();
        assertThat(c.bits()).isEqualTo(before);
        assertThat(c.arrays()).isEqualTo(arrays);
        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
    }

    @AdapterSpec(
            rank = 2,
            bias = false,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void aMergeForGoodThatFailsAtTheLastWeightHasChangedNone(AdapterCase c) {
        AdaptedModel adapted = c.attach(new FailingConfig(c.config(), c.sites().size() - 1, 0));
        c.randomise(adapted.adapter(), 2);
        Map<String, IntBuffer> before = c.bits();
        int arrays = c.arrays();
        assertThatThrownBy(adapted::mergeAndUnload).hasMessage(FailingConfig.MESSAGE);
        assertThat(c.bits()).isEqualTo(before);
        assertThat(c.arrays()).isEqualTo(arrays);
        assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT);
    }

    @AdapterSpec(rank = 2, bias = false, target = Target.ADAPTABLE_LINEAR)
    default void aMergeForGoodThatFailsHalfwaySaysWhatItHasChanged(AdapterCase c) {
        AdaptedModel adapted = c.attach(new FailingConfig(c.config(), c.sites().size() - 1, 1));
        c.mergedForGood();
        assertThatThrownBy(adapted::mergeAndUnload)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("failed at second")
                .hasMessageContaining("changed: [first]")
                .hasRootCauseMessage(FailingConfig.MESSAGE);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void whatWouldMixWithMergedWeightsIsRefusedUntilUnmerged(
            AdapterCase c, @TempDir Path directory) throws Exception {
        AdaptedModel adapted = c.attach();
        adapted.add("other", c.config());
        adapted.save(directory);
        adapted.merge();
        ThrowingCallable[] all = {
            () -> adapted.add("new", c.config()),
            () -> adapted.load("new", directory),
            () -> adapted.activate("other"),
            () -> adapted.use("other"),
            adapted::disableAdapter,
            () -> adapted.delete("other"),
            adapted::mergeAndUnload,
            () -> adapted.adapter().load(directory),
            () -> adapted.adapter().loadLeniently(directory),
            () -> adapted.adapter().delta(c.scratch(), c.sites().get(0).path()),
        };
        for (ThrowingCallable one : all) {
            assertThatThrownBy(one)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("unmerge");
        }
        assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT, "other");
        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
        adapted.unmerge();
        adapted.delete("other");
        adapted.activate();
    }

    @AdapterSpec(rank = 2, bias = false)
    default void nothingIsMergedWhileAnyThreadHasChosenItsOwnAdapters(AdapterCase c)
            throws Exception {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        try (OtherThread other = new OtherThread()) {
            AdapterScope scope = other.call(adapted::disableAdapter);
            assertThatThrownBy(adapted::merge)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("scope");
            assertThatThrownBy(adapted::mergeAndUnload)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("scope");
            other.run(scope::close);
        }
        assertThat(adapted.merge().sites()).hasSameSizeAs(c.sites());
    }
}
