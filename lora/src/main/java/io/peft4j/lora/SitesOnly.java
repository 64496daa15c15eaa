package io.peft4j.lora;

import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.TrainedInFull;

/** Refuses adapters that hold more than a change of each site's weight. */
final class SitesOnly {

    private SitesOnly() {}

    /**
     * Refuses such an adapter.
     *
     * @param adapter the adapter
     * @param why what the rest has not, such as a weighted sum with the others
     * @param remedy what to do instead
     * @throws IllegalArgumentException if it has biases, saved modules or token rows
     */
    static void require(Adapter adapter, String why, String remedy) {
        TrainedInFull own = adapter.config().trainedInFull();
        boolean biased = adapter.config() instanceof LowRankConfig config && config.loraBias();
        if (biased || !own.equals(TrainedInFull.NOTHING)) {
            throw new IllegalArgumentException(
                    String.format(
                            "adapter %s also trains %s, %s; %s",
                            adapter.name(), biased ? "lora_bias" : own, why, remedy));
        }
        if (adapter.states().values().stream().anyMatch(AdapterState::changesBias)) {
            throw new IllegalArgumentException(
                    String.format(
                            "adapter %s is %s, which changes biases with their weights, %s; %s",
                            adapter.name(), adapter.config().method(), why, remedy));
        }
    }
}
