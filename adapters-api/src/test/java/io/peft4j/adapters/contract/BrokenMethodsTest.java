package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * The contract tells a broken method from a good one; {@link PlainContractTest} is the good one.
 */
class BrokenMethodsTest {

    /** What the launched contract is about: it makes the contract itself. */
    private static Defect defect = Defect.LOGS_A_WARNING;

    @ParameterizedTest
    @EnumSource(Defect.class)
    void theContractCatches(Defect broken) {
        defect = broken;
        Set<String> failed = new TreeSet<>();
        TestExecutionListener listener =
                new TestExecutionListener() {
                    @Override
                    public void executionFinished(TestIdentifier id, TestExecutionResult result) {
                        if (id.isTest()
                                && result.getStatus() == TestExecutionResult.Status.FAILED) {
                            failed.add(((MethodSource) id.getSource().get()).getMethodName());
                        }
                    }
                };
        PrintStream console = System.err;
        System.setErr(new PrintStream(OutputStream.nullOutputStream())); // one defect logs
        try {
            LauncherFactory.create().execute(request(broken.behaviours()), listener);
        } finally {
            System.setErr(console);
        }
        assertThat(failed).containsExactlyInAnyOrderElementsOf(broken.behaviours());
    }

    private static LauncherDiscoveryRequest request(List<String> behaviours) {
        List<DiscoverySelector> selectors = new ArrayList<>();
        for (String behaviour : behaviours) {
            for (Method method : BrokenContract.class.getMethods()) {
                if (method.getName().equals(behaviour)) {
                    selectors.add(selectMethod(BrokenContract.class, method));
                }
            }
        }
        assertThat(selectors).hasSameSizeAs(behaviours);
        return LauncherDiscoveryRequestBuilder.request().selectors(selectors).build();
    }

    static final class BrokenContract extends AdapterContract {

        @Override
        protected AdapterConfig config(int rank, TargetModules targets) {
            return new BrokenConfig(new PlainConfig(rank, targets, 0), defect);
        }

        @Override
        protected Optional<AdapterConfig> configWithDropout(
                int rank, TargetModules targets, double probability) {
            return Optional.of(
                    new BrokenConfig(new PlainConfig(rank, targets, probability), defect));
        }

        @Override
        protected Set<Target> targets() {
            return EnumSet.of(Target.LINEAR, Target.ADAPTABLE_LINEAR, Target.LINEAR_IN_A_LAMBDA);
        }
    }
}
