package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.TorchRuntime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** Forward, backward, and what they leave behind. */
interface TrainingBehaviours {

    @AdapterSpec
    default void trainingReachesEveryAdapterParameterAndNoFrozenOne(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        c.randomise(adapted.add("frozen", c.another()), 3);
        backward(c, adapted);
        gradients(adapted)
                .forEach((key, g) -> assertThat(g).as(key).anyMatch(element -> element != 0));
        for (Parameter frozen : adapted.adapter("frozen").parameters().values()) {
            assertThat(frozen.getArray().hasGradient()).isFalse();
        }
        for (Pair<String, Parameter> frozen : c.base().getParameters()) {
            assertThat(frozen.getValue().getArray().hasGradient()).as(frozen.getKey()).isFalse();
        }
    }

    private static void backward(AdapterCase c, AdaptedModel adapted) {
        try (GradMode on = GradMode.enabled()) {
            NDArray y = c.train(adapted.block(), c.input());
            Gradients.backward(y, upstream(c, y));
        }
    }

    private static NDArray upstream(AdapterCase c, NDArray y) {
        return c.random(y.getShape(), 1, new SplittableRandom(5));
    }

    /** The active adapter's gradients, which begin anew. */
    private static Map<String, List<Float>> gradients(AdaptedModel adapted) {
        Map<String, List<Float>> gradients = new LinkedHashMap<>();
        adapted.adapter()
                .parameters()
                .forEach(
                        (key, parameter) -> {
                            try (NDArray gradient = parameter.getArray().getGradient()) {
                                gradients.put(key, Floats.list(gradient.toFloatArray()));
                            }
                            Gradients.zero(parameter.getArray());
                        });
        return gradients;
    }

    @AdapterSpec(rank = 2)
    default void aStepAgainstTheGradientLowersTheLoss(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        NDArray x = c.input();
        double first = 0;
        double last = 0;
        for (int step = 0; step < 5; step++) {
            try (GradMode on = GradMode.enabled()) {
                NDArray loss = c.train(adapted.block(), x).square().sum();
                last = loss.getFloat();
                first = step == 0 ? last : first;
                Gradients.backward(loss);
            }
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                try (GradMode off = GradMode.disabled();
                        NDArray gradient = parameter.getArray().getGradient();
                        NDArray moved = parameter.getArray().sub(gradient.mul(0.003f))) {
                    AdapterCase.set(parameter, moved);
                }
                Gradients.zero(parameter.getArray());
            }
        }
        assertThat(last).isLessThan(first);
    }

    @AdapterSpec(
            rank = 2,
            bias = false,
            target = {Target.LINEAR, Target.ADAPTABLE_LINEAR})
    default void dropoutActsInTrainingOnly(AdapterCase c) {
        Optional<AdapterConfig> config = c.configWithDropout(0.5);
        if (config.isEmpty()) {
            return;
        }
        NDArray x = c.input();
        AdaptedModel plain = c.attach();
        c.randomise(plain.adapter(), 2);
        float[] without = c.run(plain.block(), x, false);
        plain.close();
        AdaptedModel adapted = c.attach(config.get());
        c.randomise(adapted.adapter(), 2);
        assertThat(c.run(adapted.block(), x, false)).isEqualTo(without);
        TorchRuntime.seed(1);
        float[] one = c.run(adapted.block(), x, true);
        float[] two = c.run(adapted.block(), x, true);
        TorchRuntime.seed(1);
        assertThat(one).isNotEqualTo(without).isNotEqualTo(two);
        assertThat(c.run(adapted.block(), x, true)).isEqualTo(one);
        adapted.merge();
        Floats.assertClose("merged", c.run(adapted.block(), x, true), without, 1e-5);
    }

    /** In a pass of a host, which does not keep Java buffers for a method as the block does. */
    @AdapterSpec(rank = 2)
    default void aGarbageCollectionBetweenForwardAndBackwardChangesNothing(AdapterCase c)
            throws InterruptedException {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        backward(c, adapted);
        Map<String, List<Float>> expected = gradients(adapted);
        NDArray x = c.input();
        try (GradMode on = GradMode.enabled()) {
            for (int i = 0; i < 2; i++) {
                try (NDManager pass = c.scratch().newSubManager()) {
                    ParameterStore store = adapted.store(new ParameterStore(pass, false));
                    NDArray y = c.base().forward(store, new NDList(x), true).head();
                    FreedBuffers.overwrite();
                    Gradients.backward(y, upstream(c, y));
                }
                assertThat(gradients(adapted)).isEqualTo(expected);
            }
        }
    }

    @AdapterSpec(
            rank = 2,
            training = {false, true})
    default void forwardsAndStepsLeaveNoArraysBehind(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        NDArray x = c.input();
        pass(c, c.base(), x);
        pass(c, adapted.block(), x);
        int before = c.arrays();
        int inputs = c.scratch().getManagedArrays().size();
        pass(c, c.base(), x);
        // DJL's recurrent layers leave states with their input
        int left = c.scratch().getManagedArrays().size() - inputs;
        for (int i = 0; i < 10; i++) {
            pass(c, adapted.block(), x);
        }
        assertThat(c.arrays()).as("arrays of the model").isEqualTo(before);
        assertThat(c.scratch().getManagedArrays())
                .as("arrays of the input")
                .hasSize(inputs + 11 * left);
    }

    private static void pass(AdapterCase c, Block block, NDArray x) {
        try (NDManager scope = c.scratch().newSubManager();
                GradMode mode = c.training() ? GradMode.enabled() : GradMode.disabled()) {
            ParameterStore store = new ParameterStore(scope, false);
            NDList outputs = block.forward(store, new NDList(x), c.training());
            if (c.training() && block != c.base()) {
                try (NDArray loss = outputs.head().square();
                        NDArray sum = loss.sum()) {
                    Gradients.backward(sum);
                }
            }
            outputs.close();
        }
    }
}
