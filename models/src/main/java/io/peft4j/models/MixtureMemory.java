package io.peft4j.models;

import java.util.Comparator;
import java.util.List;
import java.util.stream.LongStream;

/**
 * What the kernels of {@code mixture.ts} keep and make, line by line: change both together.
 *
 * <p>Where tokens go is not known before they do. What is kept is told to the byte if adapters add
 * the same to all experts, whichever of them the tokens choose: it is a token's own, and each token
 * chooses as many. Else it is at most as much as if all tokens chose the experts that keep most.
 * What a backward makes is told for an expert that all tokens have chosen, and is at most that.
 */
final class MixtureMemory {

    private MixtureMemory() {}

    /**
     * The layers of one expert.
     *
     * @param gateUp gate and up
     * @param down down
     */
    record Expert(GroupSize gateUp, GroupSize down) {}

    static StageMemory of(StepSize s, int perToken, GroupSize router, List<Expert> experts) {
        long hidden = s.activation(router.in());
        long sent = s.tokens() * perToken; // M
        long kept =
                hidden // the result
                        + s.wide(1) // r
                        + s.activation(router.out()) // scores
                        + 3 * sent * Long.BYTES // experts, order and rows
                        + s.of(sent).activation(1) // weights
                        + (s.cpu() ? router.out() * Long.BYTES : 0) // counts, on the host
                        + router.kept(s)
                        + mostKept(s, perToken, experts);
        // n, and the gradients by n and by the weights
        long begun = 2 * hidden + sent * StepSize.FLOAT;
        long most = routing(s, router) + sent * StepSize.FLOAT;
        for (Expert expert : experts) {
            most = Math.max(most, backward(s, expert));
        }
        return new StageMemory(kept, begun + most);
    }

    private static long mostKept(StepSize s, int perToken, List<Expert> experts) {
        return experts.stream()
                .map(expert -> KernelMemory.gated(s, expert.gateUp(), expert.down()))
                .sorted(Comparator.reverseOrder())
                .limit(perToken)
                .mapToLong(Long::longValue)
                .sum();
    }

    private static long backward(StepSize s, Expert expert) {
        GroupSize first = expert.gateUp();
        GroupSize second = expert.down();
        long rows = s.activation(first.in()); // x, and dy as large
        return first.masks(s)
                + second.masks(s)
                + rows
                + KernelMemory.gatedBackward(s, rows, true, first, second);
    }

    private static long routing(StepSize s, GroupSize router) {
        long scores = 4 * s.wide(router.out()); // p, dp, ds, and a product of two
        long projections = router.masks(s) + s.activation(router.out()) + router.backward(s, true);
        return LongStream.of(scores, projections, KernelMemory.norm(s, router.in()))
                .max()
                .orElseThrow();
    }
}
