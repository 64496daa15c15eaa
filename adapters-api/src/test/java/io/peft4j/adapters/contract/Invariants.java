package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import io.peft4j.adapters.BlockTree;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What holds after every behaviour, once its adapters are taken off: the base has its weights, bit
 * for bit, its blocks and no more arrays than before; no base parameter has a gradient; nothing
 * worth a warning was logged.
 */
final class Invariants {

    private final AdapterCase subject;
    private final Map<String, IntBuffer> weights;
    private final List<Block> blocks;
    private final int arrays;
    private final LoggedProblems logged = new LoggedProblems();

    Invariants(AdapterCase subject) {
        this.subject = subject;
        weights = subject.bits();
        blocks = new ArrayList<>(BlockTree.paths(subject.base()).values());
        arrays = subject.arrays();
    }

    void check() {
        try (LoggedProblems closing = logged) {
            subject.takeOff();
            if (!subject.isMergedForGood()) {
                assertThat(subject.bits()).as("base weights").isEqualTo(weights);
            }
            List<Block> now = new ArrayList<>(BlockTree.paths(subject.base()).values());
            assertThat(now).as("blocks").hasSameSizeAs(blocks);
            for (int i = 0; i < now.size(); i++) {
                assertThat(now.get(i)).as("block %d", i).isSameAs(blocks.get(i));
            }
            for (Pair<String, Parameter> parameter : subject.base().getParameters()) {
                assertThat(parameter.getValue().requiresGradient())
                        .as("%s requires a gradient", parameter.getKey())
                        .isFalse();
                assertThat(parameter.getValue().getArray().hasGradient())
                        .as("%s has a gradient", parameter.getKey())
                        .isFalse();
            }
            assertThat(subject.arrays()).as("arrays of the base").isEqualTo(arrays);
            assertThat(logged.lines()).as("logged").isEmpty();
        }
    }
}
