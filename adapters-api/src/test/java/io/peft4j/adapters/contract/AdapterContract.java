package io.peft4j.adapters.contract;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.TargetModules;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The behaviours of an adapter method, to be extended by its test:
 *
 * <pre>{@code
 * class LoraContractTest extends AdapterContract {
 *     protected AdapterConfig config(int rank, TargetModules targets) {
 *         return LoraConfig.builder().setRank(rank).setTargetModules(targets).build();
 *     }
 * }
 * }</pre>
 *
 * <p>The method must be on the class path as {@link io.peft4j.adapters.AdapterMethod} services are,
 * since a saved adapter is loaded again. After each behaviour {@link Invariants} are checked. The
 * tests read what is logged, so nothing else may log meanwhile: run them in one thread.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(AdapterCases.class)
public abstract class AdapterContract
        implements AttachBehaviours,
                FormBehaviours,
                MergeBehaviours,
                MergeFailureBehaviours,
                FileBehaviours,
                ScopeBehaviours,
                NamedAdapterBehaviours,
                FailureBehaviours,
                TrainingBehaviours,
                LifetimeBehaviours,
                ThreadBehaviours,
                SwapBehaviours {

    /**
     * Creates settings of the method without dropout and with the initialisation that leaves the
     * model as it is.
     *
     * @param rank the rank; a method without one takes it for any other size, or ignores it
     * @param targets what to adapt
     * @return the settings
     */
    protected abstract AdapterConfig config(int rank, TargetModules targets);

    /**
     * Creates settings with dropout.
     *
     * @param rank as in {@link #config}
     * @param targets what to adapt
     * @param probability the probability of dropping an input in training
     * @return the settings, or nothing if the method has no dropout
     */
    protected Optional<AdapterConfig> configWithDropout(
            int rank, TargetModules targets, double probability) {
        return Optional.empty();
    }

    /**
     * Tells which layers the method can adapt.
     *
     * @return all, unless it says otherwise
     */
    protected Set<Target> targets() {
        return EnumSet.allOf(Target.class);
    }

    /**
     * Tells whether a new adapter's values are drawn at random.
     *
     * @return true, unless the method says otherwise
     */
    protected boolean drawsItsValues() {
        return true;
    }

    /**
     * Tells whether the gradient of a parameter is meant to be the derivative of the output, and
     * not, as where a paper holds a norm constant in backward, something near it.
     *
     * @param key the parameter's key below its site
     * @return true, unless the method says otherwise
     */
    protected boolean hasExactGradient(String key) {
        return true;
    }
}
