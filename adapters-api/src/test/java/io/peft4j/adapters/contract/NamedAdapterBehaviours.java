package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Site;
import io.peft4j.torch.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Several adapters, of different ranks and methods, on one base. */
interface NamedAdapterBehaviours {

    /** The method under test at two ranks, and another method beside it. */
    private static AdaptedModel three(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        c.randomise(adapted.add("wide", c.config(c.rank() + 2)), 3);
        c.randomise(adapted.add("plain", c.another()), 4);
        return adapted;
    }

    private static boolean composes(AdaptedModel adapted, String name) {
        return adapted.adapter(name).states().values().stream().anyMatch(AdapterState::composes);
    }

    @AdapterSpec
    default void adaptersThatComposeActOneOnWhatTheOtherGives(AdapterCase c) {
        AdaptedModel adapted = three(c);
        if (!composes(adapted, AdaptedModel.DEFAULT)) {
            return; // their updates add
        }
        ParameterStore store = new ParameterStore(c.scratch(), false);
        Map<String, float[]> expected = new LinkedHashMap<>();
        for (Site site : c.sites()) {
            NDArray weight = Tensors.clone(c.scratch(), c.matrix(site));
            AdapterState one = adapted.adapter(AdaptedModel.DEFAULT).states().get(site.path());
            AdapterState two = adapted.adapter("wide").states().get(site.path());
            AdapterState plain = adapted.adapter("plain").states().get(site.path());
            NDArray composed =
                    two.effectiveWeight(one.effectiveWeight(weight, store, false), store, false);
            NDArray added = plain.effectiveWeight(weight, store, false).sub(weight);
            expected.put(site.path(), composed.add(added).toFloatArray());
        }
        adapted.activate("plain", AdaptedModel.DEFAULT, "wide"); // whatever the order
        adapted.merge();
        matrices(c).forEach((path, all) -> Floats.assertClose(path, all, expected.get(path), 2e-6));
    }

    @AdapterSpec
    default void theUpdatesOfSeveralAdaptersAdd(AdapterCase c) {
        AdaptedModel adapted = three(c);
        if (composes(adapted, AdaptedModel.DEFAULT)) {
            return; // see above
        }
        Map<String, float[]> base = matrices(c);
        Map<String, float[]> sum = matrices(c);
        for (String name : adapted.names()) {
            adapted.activate(name);
            adapted.merge();
            matrices(c)
                    .forEach(
                            (path, alone) -> {
                                for (int i = 0; i < alone.length; i++) {
                                    sum.get(path)[i] += alone[i] - base.get(path)[i];
                                }
                            });
            adapted.unmerge();
        }
        adapted.activate(adapted.names().toArray(String[]::new));
        adapted.merge();
        matrices(c).forEach((path, all) -> Floats.assertClose(path, all, sum.get(path), 2e-6));
    }

    private static Map<String, float[]> matrices(AdapterCase c) {
        Map<String, float[]> matrices = new LinkedHashMap<>();
        for (Site site : c.sites()) {
            matrices.put(site.path(), c.matrix(site).toFloatArray());
        }
        return matrices;
    }

    @AdapterSpec
    default void severalAdaptersMergedGiveTheirOutputTogether(AdapterCase c) {
        AdaptedModel adapted = three(c);
        adapted.activate("plain", AdaptedModel.DEFAULT, "wide");
        NDArray x = c.input();
        float[] together = c.run(adapted.block(), x);
        adapted.merge();
        Floats.assertClose("merged", c.run(adapted.block(), x), together, 2e-5);
        adapted.unmerge();
        assertThat(c.run(adapted.block(), x)).isEqualTo(together);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void onlyTheActiveAdaptersAreInEffectAndTrainable(AdapterCase c) {
        NDArray x = c.input();
        float[] base = c.run(c.base(), x);
        AdaptedModel adapted = three(c);
        float[] first = c.run(adapted.block(), x);
        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
        assertTrainable(adapted, AdaptedModel.DEFAULT);
        adapted.activate("wide", "plain");
        assertThat(adapted.active()).containsExactly("wide", "plain");
        assertTrainable(adapted, "wide", "plain");
        assertThat(c.run(adapted.block(), x)).isNotEqualTo(first);
        assertThatThrownBy(adapted::adapter)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("[wide, plain]");
        adapted.activate();
        assertTrainable(adapted);
        assertThat(c.run(adapted.block(), x)).isEqualTo(base);
        adapted.activate(AdaptedModel.DEFAULT);
        assertThat(c.run(adapted.block(), x)).isEqualTo(first);
    }

    private static void assertTrainable(AdaptedModel adapted, String... names) {
        for (String name : adapted.names()) {
            boolean active = List.of(names).contains(name);
            for (Parameter parameter : adapted.adapter(name).parameters().values()) {
                assertThat(parameter.requiresGradient()).as(name).isEqualTo(active);
                assertThat(parameter.getArray().hasGradient()).as(name).isEqualTo(active);
            }
        }
    }

    @AdapterSpec(rank = 2, bias = false)
    default void addingALaterAdapterChangesNothingUntilItIsActivated(AdapterCase c) {
        NDArray x = c.input();
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        float[] alone = c.run(adapted.block(), x);
        Adapter other = adapted.add("other", c.another());
        c.randomise(other, 3);
        assertThat(c.run(adapted.block(), x)).isEqualTo(alone);
        assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT, "other");
        assertThat(adapted.adapter("other")).isSameAs(other);
        assertThat(adapted.adapter().name()).isEqualTo(AdaptedModel.DEFAULT);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void deletingAnAdapterLeavesTheOthersAsTheyAre(AdapterCase c) {
        NDArray x = c.input();
        float[] base = c.run(c.base(), x);
        AdaptedModel adapted = three(c);
        adapted.activate("wide");
        float[] wide = c.run(adapted.block(), x);
        adapted.activate(AdaptedModel.DEFAULT, "wide");
        adapted.delete(AdaptedModel.DEFAULT);
        assertThat(adapted.names()).containsExactly("wide", "plain");
        assertThat(adapted.active()).containsExactly("wide");
        assertTrainable(adapted, "wide");
        assertThat(c.run(adapted.block(), x)).isEqualTo(wide);
        adapted.delete("wide");
        assertThat(adapted.active()).isEmpty();
        assertThat(c.run(adapted.block(), x)).isEqualTo(base);
        adapted.delete("plain");
        Adapter again = adapted.add("wide", c.config());
        assertThat(adapted.active()).containsExactly("wide");
        assertThat(again.parameters()).isNotEmpty();
    }
}
