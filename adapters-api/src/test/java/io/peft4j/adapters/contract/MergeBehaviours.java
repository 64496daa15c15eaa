package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.MergeReport;
import io.peft4j.adapters.Site;
import io.peft4j.torch.BFloat16;
import java.nio.IntBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Merging into the base weights, and taking it back. */
interface MergeBehaviours {

    @AdapterSpec
    default void mergedWeightsGiveTheAdaptedOutput(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        NDArray x = c.input();
        float[] active = c.run(adapted.block(), x);
        MergeReport report = adapted.merge();
        assertThat(adapted.isMerged()).isTrue();
        assertThat(report.sites().stream().map(MergeReport.SiteChange::path))
                .isEqualTo(c.changed(adapted));
        assertThat(report.largest()).isPositive();
        assertThat(report.relative()).isPositive();
        Floats.assertClose("merged", c.run(adapted.block(), x), active, 1e-5);
        Floats.assertClose("the base's own", c.run(c.base(), x), active, 1e-5);
    }

    @AdapterSpec(
            rank = 3,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void mergingWritesTheEffectiveWeightRoundedOnce(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        Map<Site, IntBuffer> expected = new LinkedHashMap<>();
        ParameterStore store = new ParameterStore(c.scratch(), false);
        for (Site site : c.sites()) {
            NDArray effective =
                    adapted.adapter()
                            .states()
                            .get(site.path())
                            .effectiveWeight(c.matrix(site), store, false);
            if (BFloat16.isBFloat16(c.weight(site).getArray())) {
                effective =
                        BFloat16.toFloat32(
                                c.scratch(), BFloat16.of(c.scratch(), effective.stopGradient()));
            }
            expected.put(site, BaseParameters.bits(effective));
        }
        adapted.merge();
        expected.forEach(
                (site, bits) ->
                        assertThat(BaseParameters.bits(c.matrix(site)))
                                .as(site.path())
                                .isEqualTo(bits));
    }

    @AdapterSpec(
            rank = 3,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void unmergingRestoresEveryBitTenTimesOver(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        Map<String, IntBuffer> before = c.bits();
        for (int i = 0; i < 10; i++) {
            adapted.merge();
            assertThat(c.bits()).isNotEqualTo(before);
            adapted.unmerge();
            assertThat(c.bits()).isEqualTo(before);
            assertThat(adapted.isMerged()).isFalse();
        }
        adapted.unmerge();
        assertThat(c.bits()).isEqualTo(before);
    }

    @AdapterSpec(
            rank = 3,
            bias = false,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void mergingTwiceChangesNothingTheSecondTime(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        adapted.merge();
        Map<String, IntBuffer> once = c.bits();
        assertThat(adapted.merge().sites()).isEmpty();
        assertThat(c.bits()).isEqualTo(once);
    }

    @AdapterSpec(
            rank = 3,
            bias = false,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void theSummaryTellsTheBytesThatAMergeKeeps(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        adapted.merge();
        long elements = c.sites().stream().mapToLong(site -> site.shape().size()).sum();
        boolean narrow = BFloat16.isBFloat16(c.weight(c.sites().get(0)).getArray());
        assertThat(adapted.summary().keptBytes()).isEqualTo(elements * (narrow ? 2 : 4));
        assertThat(adapted.summary().toString()).contains("kept for unmerge");
        adapted.unmerge();
        assertThat(adapted.summary().keptBytes()).isZero();
    }

    @AdapterSpec(rank = 2)
    default void mergingForGoodKeepsNoCopyAndLeavesThePlainModel(AdapterCase c) {
        int arrays = c.arrays();
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        NDArray x = c.input();
        float[] active = c.run(adapted.block(), x);
        List<String> changed = c.changed(adapted);
        assertThat(adapted.mergeAndUnload().sites()).hasSameSizeAs(changed);
        c.mergedForGood();
        assertThat(c.arrays()).isEqualTo(arrays);
        Floats.assertClose("merged", c.run(c.base(), x), active, 1e-5);
        assertThat(adapted.names()).isEmpty();
    }

    @AdapterSpec(
            rank = 3,
            bias = false,
            storage = {AdapterSpec.Storage.FLOAT32, AdapterSpec.Storage.BFLOAT16})
    default void closingWhileMergedRestoresTheWeights(AdapterCase c) {
        Map<String, IntBuffer> before = c.bits();
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        adapted.merge();
        assertThat(c.bits()).isNotEqualTo(before);
        adapted.close();
        assertThat(c.bits()).isEqualTo(before);
    }
}
