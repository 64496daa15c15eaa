package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.core.Embedding;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Site;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** A method's forms: the effective weight, and the fast ones that must equal it. */
interface FormBehaviours {

    @AdapterSpec(
            target = {Target.ADAPTABLE_LINEAR, Target.ADAPTABLE_EMBEDDING},
            bias = false,
            training = {false, true})
    default void theFastFormEqualsTheEffectiveWeightForwardAndBackward(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        try (GradMode on = GradMode.enabled()) {
            for (Site site : c.sites()) {
                assertSame(c, site, adapted.adapter().states().get(site.path()));
            }
        }
    }

    /** On the state itself: a model that hosts adapters has no shield against it. */
    @AdapterSpec(
            target = {Target.ADAPTABLE_LINEAR, Target.ADAPTABLE_EMBEDDING},
            bias = false)
    default void aGarbageCollectionBetweenAFormAndItsBackwardChangesNothing(AdapterCase c)
            throws InterruptedException {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        try (GradMode on = GradMode.enabled()) {
            for (Site site : c.sites()) {
                AdapterState state = adapted.adapter().states().get(site.path());
                ParameterStore store = new ParameterStore(c.scratch(), false);
                for (boolean fast : new boolean[] {true, false}) {
                    Map<String, float[]> expected = gradients(c, site, state, store, fast, false);
                    Map<String, float[]> actual = gradients(c, site, state, store, fast, true);
                    actual.forEach((key, g) -> assertThat(g).as(key).isEqualTo(expected.get(key)));
                }
            }
        }
    }

    private static Map<String, float[]> gradients(
            AdapterCase c,
            Site site,
            AdapterState state,
            ParameterStore store,
            boolean fast,
            boolean collect)
            throws InterruptedException {
        boolean rows = site.kind() == Site.Kind.EMBEDDING;
        NDArray weight = c.matrix(site);
        SplittableRandom random = new SplittableRandom(3);
        NDArray x = rows ? c.input() : c.random(new Shape(2, 3, site.inFeatures()), 1, random);
        NDArray base = apply(rows, x, weight);
        NDArray output = null;
        if (fast) {
            output =
                    rows
                            ? state.embeddingUpdate(x, base, weight, store, true)
                            : state.linearUpdate(x, base, weight, store, true);
        }
        if (output == null) {
            output = state.effectiveWeight(weight, store, true);
        }
        NDArray upstream = c.random(output.getShape(), 1, random);
        if (collect) {
            FreedBuffers.overwrite();
        }
        Gradients.backward(output, upstream);
        return takeGradients(state);
    }

    private static void assertSame(AdapterCase c, Site site, AdapterState state) {
        boolean rows = site.kind() == Site.Kind.EMBEDDING;
        NDArray weight = c.matrix(site); // (out, in)
        ParameterStore store = new ParameterStore(c.scratch(), false);
        SplittableRandom random = new SplittableRandom(3);
        NDArray x = rows ? c.input() : c.random(new Shape(2, 3, site.inFeatures()), 1, random);
        NDArray base = apply(rows, x, weight);
        NDArray upstream = c.random(base.getShape(), 1, random);

        NDArray own = Tensors.clone(c.scratch(), x);
        if (!rows) {
            own.setRequiresGradient(true);
        }
        NDArray fast =
                rows
                        ? state.embeddingUpdate(own, base, weight, store, c.training())
                        : state.linearUpdate(
                                own, apply(false, own, weight), weight, store, c.training());
        if (fast == null) {
            return; // the method has no such form
        }
        Gradients.backward(fast, upstream);
        Map<String, float[]> gradients = takeGradients(state);

        NDArray plain = Tensors.clone(c.scratch(), x);
        if (!rows) {
            plain.setRequiresGradient(true);
        }
        NDArray effective = state.effectiveWeight(weight, store, c.training());
        NDArray slow = apply(rows, plain, effective.sub(weight));
        Gradients.backward(slow, upstream);

        Floats.assertClose(site.path(), fast.toFloatArray(), slow.toFloatArray(), 1e-5);
        takeGradients(state)
                .forEach((key, g) -> Floats.assertClose(key, gradients.get(key), g, 5e-5));
        if (!rows) {
            Floats.assertClose(
                    "the input's gradient",
                    own.getGradient().toFloatArray(),
                    plain.getGradient().toFloatArray(),
                    5e-5);
        }
    }

    private static NDArray apply(boolean rows, NDArray x, NDArray weight) {
        return rows
                ? Embedding.embedding(x, weight.transpose(), SparseFormat.DENSE).head()
                : x.matMul(weight.transpose());
    }

    private static Map<String, float[]> takeGradients(AdapterState state) {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        state.parameters()
                .forEach(
                        (key, parameter) -> {
                            try (NDArray gradient = parameter.getArray().getGradient()) {
                                gradients.put(key, gradient.toFloatArray());
                            }
                            Gradients.zero(parameter.getArray());
                        });
        return gradients;
    }

    @AdapterSpec(rank = 2, bias = false)
    default void theEffectiveWeightIsAFloat32MatrixOfTheFrozenOnesShape(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        ParameterStore store = new ParameterStore(c.scratch(), false);
        for (Site site : c.sites()) {
            NDArray weight = c.matrix(site);
            NDArray effective =
                    adapted.adapter()
                            .states()
                            .get(site.path())
                            .effectiveWeight(weight, store, false);
            assertThat(effective.getShape())
                    .isEqualTo(new Shape(site.outFeatures(), site.inFeatures()));
            assertThat(effective.getDataType()).isEqualTo(weight.getDataType());
            assertThat(effective.getManager()).isSameAs(weight.getManager());
            assertThat(effective.toFloatArray()).isNotEqualTo(weight.toFloatArray());
        }
    }

    @AdapterSpec(
            target = {Target.ADAPTABLE_LINEAR, Target.ADAPTABLE_EMBEDDING},
            bias = false)
    default void aChangedBaseWeightIsFollowedOnceItIsTold(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        for (Site site : c.sites()) {
            AdapterState state = adapted.adapter().states().get(site.path());
            NDArray kept = Tensors.clone(c.scratch(), c.weight(site).getArray());
            AdapterCase.set(
                    c.weight(site), c.random(kept.getShape(), 0.7, new SplittableRandom(8)));
            state.weightChanged(c.matrix(site));
            try (GradMode on = GradMode.enabled()) {
                assertSame(c, site, state);
            } finally {
                AdapterCase.set(c.weight(site), kept);
            }
        }
    }

    @AdapterSpec(bias = true)
    default void gradientsEqualFiniteDifferences(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        FiniteDifferences.check(c, adapted);
    }
}
