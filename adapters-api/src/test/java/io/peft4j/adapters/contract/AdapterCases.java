package io.peft4j.adapters.contract;

import ai.djl.engine.Engine;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;

/** Spells out the combinations of an {@link AdapterSpec}, and checks the invariants after each. */
final class AdapterCases implements TestTemplateInvocationContextProvider, BeforeAllCallback {

    /** One combination. */
    record Combination(
            int rank, AdapterSpec.Storage storage, boolean bias, Target target, boolean training) {}

    @Override
    public void beforeAll(ExtensionContext context) {
        Engine.getEngine("PyTorch"); // what it logs when it starts is not the adapters' doing
    }

    @Override
    public boolean supportsTestTemplate(ExtensionContext context) {
        return context.getRequiredTestMethod().isAnnotationPresent(AdapterSpec.class);
    }

    @Override
    public boolean mayReturnZeroTestTemplateInvocationContexts(ExtensionContext context) {
        return true; // a method need not have what a behaviour is about
    }

    @Override
    public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(
            ExtensionContext context) {
        AdapterContract contract = (AdapterContract) context.getRequiredTestInstance();
        AdapterSpec spec = context.getRequiredTestMethod().getAnnotation(AdapterSpec.class);
        return combinations(spec, contract.targets()).stream()
                .map(combination -> new Invocation(contract, combination));
    }

    private static List<Combination> combinations(AdapterSpec spec, Set<Target> supported) {
        Set<Target> targets =
                spec.target().length == 0
                        ? EnumSet.allOf(Target.class)
                        : EnumSet.copyOf(List.of(spec.target()));
        targets.retainAll(supported);
        List<Combination> all = new ArrayList<>();
        for (Target target : targets) {
            for (boolean bias : target.isBiased() ? spec.bias() : new boolean[] {false}) {
                for (AdapterSpec.Storage storage : spec.storage()) {
                    for (int rank : spec.rank()) {
                        for (boolean training : spec.training()) {
                            all.add(new Combination(rank, storage, bias, target, training));
                        }
                    }
                }
            }
        }
        return all;
    }

    private record Invocation(AdapterContract contract, Combination combination)
            implements TestTemplateInvocationContext {

        @Override
        public String getDisplayName(int number) {
            return combination.toString();
        }

        @Override
        public List<Extension> getAdditionalExtensions() {
            return List.of(new OneCase(contract, combination));
        }
    }

    private static final class OneCase implements ParameterResolver, AfterEachCallback {

        private final AdapterContract contract;
        private final Combination combination;
        private AdapterCase opened;
        private Invariants invariants;

        OneCase(AdapterContract contract, Combination combination) {
            this.contract = contract;
            this.combination = combination;
        }

        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == AdapterCase.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            opened = new AdapterCase(contract, combination);
            invariants = new Invariants(opened);
            return opened;
        }

        @Override
        public void afterEach(ExtensionContext context) {
            if (opened != null) {
                try (AdapterCase closing = opened) {
                    invariants.check();
                }
            }
        }
    }
}
