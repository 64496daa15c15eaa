package io.peft4j.cli;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.tuning.reward.RewardHead;
import java.io.IOException;
import java.nio.file.Path;

/** Keeps adapters with a score head, which judge texts, from where adapters write them. */
final class RewardAdapters {

    private RewardAdapters() {}

    /**
     * Refuses such an adapter by name, where all that could be said later is that the model has no
     * score head.
     *
     * @param directory an adapter's
     * @throws AdapterConfigException if it has a score head
     * @throws IOException if its config cannot be read
     */
    static void refuse(Path directory) throws IOException {
        PeftConfig config = PeftConfig.read(directory);
        if (config.strings("modules_to_save").containsAll(RewardHead.MODULES_TO_SAVE)) {
            throw new AdapterConfigException(
                    directory
                            + ": expected an adapter that writes text, found a reward model or a"
                            + " value function, whose score head judges it: --reward-adapter takes"
                            + " it");
        }
    }
}
