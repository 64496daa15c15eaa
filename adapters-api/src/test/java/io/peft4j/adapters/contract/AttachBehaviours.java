package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterSummary;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What attaching does, and what it leaves alone. */
interface AttachBehaviours {

    @AdapterSpec(training = {false, true})
    default void aNewAdapterLeavesEveryBitOfTheOutput(AdapterCase c) {
        NDArray x = c.input();
        float[] before = c.run(c.base(), x);
        AdaptedModel adapted = c.attach();
        assertThat(c.run(adapted.block(), x)).isEqualTo(before);
        assertThat(adapted.adapter().parameters()).isNotEmpty();
        adapted.close();
        assertThat(c.run(c.base(), x)).isEqualTo(before);
    }

    @AdapterSpec(rank = 2, storage = AdapterSpec.Storage.BFLOAT16)
    default void aNewAdapterMergesToTheVeryWeights(AdapterCase c) {
        var before = c.bits();
        AdaptedModel adapted = c.attach();
        adapted.merge();
        assertThat(c.bits()).isEqualTo(before);
    }

    @AdapterSpec(rank = 2)
    default void attachingFreezesTheBaseAndShowsItsParametersBesideTheAdapters(AdapterCase c) {
        List<String> names = c.base().getParameters().keys();
        assertThat(c.base().getParameters().values()).allMatch(Parameter::requiresGradient);
        AdaptedModel adapted = c.attach();
        assertThat(c.base().getParameters().keys()).isEqualTo(names);
        assertThat(c.base().getParameters().values()).noneMatch(Parameter::requiresGradient);
        List<Parameter> shown = adapted.block().getParameters().values();
        assertThat(shown)
                .containsAll(c.base().getParameters().values())
                .containsAll(adapted.adapter().parameters().values())
                .hasSize(names.size() + adapted.adapter().parameters().size());
    }

    @AdapterSpec(rank = 2)
    default void theSummaryCountsSitesAndParameters(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        AdapterSummary summary = adapted.summary();
        assertThat(summary.sites().stream().map(AdapterSummary.Row::site)).isEqualTo(c.sites());
        long own = size(adapted.adapter().parameters().values());
        assertThat(summary.trainable()).isEqualTo(own);
        assertThat(summary.all()).isEqualTo(own + size(c.base().getParameters().values()));
        assertThat(summary.keptBytes()).isZero();
        assertThat(summary.toString()).contains("trainable params: ", c.sites().get(0).path());
    }

    private static long size(Iterable<Parameter> parameters) {
        long size = 0;
        for (Parameter parameter : parameters) {
            size += parameter.getShape().size();
        }
        return size;
    }

    @AdapterSpec(rank = 2, bias = false)
    default void targetsChooseTheSites(AdapterCase c) {
        Site last = c.sites().get(c.sites().size() - 1);
        AdaptedModel adapted =
                c.attach(c.contract().config(c.rank(), TargetModules.of(last.path())));
        assertThat(adapted.adapter().states()).containsOnlyKeys(last.path());
        assertThat(adapted.adapter().parameters().keySet())
                .allMatch(key -> key.startsWith("base_model.model." + last.path() + "."));
    }

    @AdapterSpec(
            rank = 2,
            bias = false,
            target = {Target.LINEAR, Target.ADAPTABLE_LINEAR, Target.CONVOLUTION, Target.EMBEDDING})
    default void aTargetThatMatchesNothingIsNamedWithNearNames(AdapterCase c) {
        assertThatThrownBy(
                        () -> c.attach(c.contract().config(2, TargetModules.of("first", "secnod"))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("secnod")
                .hasMessageContaining("second");
        assertThat(c.base().getParameters().values()).allMatch(Parameter::requiresGradient);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void theSameSeedGivesTheSameValuesAndSitesDiffer(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        Adapter one = adapted.add("one", c.config(), 5);
        Adapter same = adapted.add("same", c.config(), 5);
        Adapter other = adapted.add("other", c.config(), 6);
        assertThat(AdapterCase.values(same)).isEqualTo(AdapterCase.values(one));
        if (c.contract().drawsItsValues()) {
            assertThat(AdapterCase.values(other)).isNotEqualTo(AdapterCase.values(one));
            // the first numbers of a drawn parameter would be the same if sites shared a seed
            Map<String, List<Float>> drawn =
                    AdapterCase.values(one).entrySet().stream()
                            .filter(e -> new HashSet<>(e.getValue()).size() > 1)
                            .collect(
                                    Collectors.toMap(
                                            Map.Entry::getKey, e -> e.getValue().subList(0, 2)));
            assertThat(drawn.values()).doesNotHaveDuplicates();
        }
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aBlockThatHasAdaptersIsNotAttachedToAgain(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        assertThatThrownBy(() -> Adapters.attach(adapted.block(), c.config()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("already");
        assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT);
    }
}
