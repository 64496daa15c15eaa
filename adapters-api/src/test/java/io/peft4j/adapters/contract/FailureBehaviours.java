package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import java.io.IOException;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.io.TempDir;

/** Operations that fail, and then have changed nothing. */
interface FailureBehaviours {

    /** Everything about a model that an operation could change. */
    record Everything(
            List<String> names,
            List<String> active,
            List<String> parameters,
            Map<String, Boolean> trainable,
            Map<String, List<Float>> values,
            Map<String, IntBuffer> base,
            int arrays) {

        static Everything of(AdapterCase c, AdaptedModel adapted) {
            Map<String, Boolean> trainable = new LinkedHashMap<>();
            Map<String, List<Float>> values = new LinkedHashMap<>();
            for (String name : adapted.names()) {
                Adapter adapter = adapted.adapter(name);
                AdapterCase.values(adapter).forEach((k, v) -> values.put(name + k, v));
                adapter.parameters()
                        .forEach((k, p) -> trainable.put(name + k, p.requiresGradient()));
            }
            return new Everything(
                    adapted.names(),
                    adapted.active(),
                    adapted.block().getParameters().keys(),
                    trainable,
                    values,
                    c.bits(),
                    c.arrays());
        }
    }

    private static void assertFails(
            AdapterCase c,
            AdaptedModel adapted,
            Class<? extends Throwable> type,
            String message,
            ThrowingCallable operation) {
        Everything before = Everything.of(c, adapted);
        assertThatThrownBy(operation).isInstanceOf(type).hasMessageContaining(message);
        assertThat(Everything.of(c, adapted)).isEqualTo(before);
    }

    private static AdaptedModel two(AdapterCase c) {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        adapted.add("other", c.another());
        adapted.activate("other", AdaptedModel.DEFAULT);
        return adapted;
    }

    @AdapterSpec(rank = 2, bias = false)
    default void unknownAndRepeatedNamesAreRefused(AdapterCase c) {
        AdaptedModel adapted = two(c);
        Class<IllegalArgumentException> illegal = IllegalArgumentException.class;
        assertFails(c, adapted, illegal, "nobody", () -> adapted.activate("nobody"));
        assertFails(c, adapted, illegal, "nobody", () -> adapted.activate("other", "nobody"));
        assertFails(c, adapted, illegal, "twice", () -> adapted.activate("other", "other"));
        assertFails(c, adapted, illegal, "nobody", () -> adapted.use("nobody"));
        assertFails(c, adapted, illegal, "twice", () -> adapted.use("other", "other"));
        assertFails(c, adapted, illegal, "nobody", () -> adapted.delete("nobody"));
        assertFails(c, adapted, illegal, "[default, other]", () -> adapted.adapter("nobody"));
    }

    @AdapterSpec(rank = 2, bias = false)
    default void anAdapterThatCannotBeAddedLeavesEverythingAsItWas(AdapterCase c) {
        AdaptedModel adapted = two(c);
        assertFails(
                c,
                adapted,
                AdapterConfigException.class,
                "nowhere",
                () -> adapted.add("new", c.contract().config(2, TargetModules.of("nowhere"))));
        assertFails(
                c,
                adapted,
                IllegalStateException.class,
                "other already",
                () -> adapted.add("other", c.config()));
        for (String name : new String[] {"", "a/b", "a\\b", ".", ".."}) {
            assertFails(
                    c,
                    adapted,
                    IllegalArgumentException.class,
                    "\"" + name + "\"",
                    () -> adapted.add(name, c.config()));
        }
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aMethodThatFailsAtTheLastSiteLeavesEverythingAsItWas(AdapterCase c) {
        AdaptedModel adapted = two(c);
        FailingConfig failing = new FailingConfig(c.config(), c.sites().size() - 1, -1);
        assertFails(
                c,
                adapted,
                IllegalStateException.class,
                FailingConfig.MESSAGE,
                () -> adapted.add("new", failing));
        adapted.close();
        c.base().freezeParameters(false);
        FailingConfig again = new FailingConfig(c.config(), c.sites().size() - 1, -1);
        assertThatThrownBy(() -> Adapters.attach(c.base(), again))
                .hasMessage(FailingConfig.MESSAGE);
        assertThat(c.base().getParameters().values()).allMatch(Parameter::requiresGradient);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void anAdapterThatCannotBeLoadedLeavesEverythingAsItWas(
            AdapterCase c, @TempDir Path directory) throws IOException {
        AdaptedModel adapted = two(c);
        adapted.adapter(AdaptedModel.DEFAULT).save(directory);
        assertFails(
                c,
                adapted,
                IllegalStateException.class,
                "other already",
                () -> adapted.load("other", directory));
        SavedAdapter saved = new SavedAdapter(directory);
        String last = saved.keys().get(saved.keys().size() - 1);
        saved.remove(last);
        assertFails(
                c,
                adapted,
                AdapterMismatchException.class,
                last,
                () -> adapted.load("new", directory));
        adapted.close();
        c.base().freezeParameters(false);
        assertThatThrownBy(() -> c.load(directory)).isInstanceOf(AdapterMismatchException.class);
        assertThat(c.base().getParameters().values()).allMatch(Parameter::requiresGradient);
    }
}
