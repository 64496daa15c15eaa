package io.peft4j.serving;

import java.util.List;

/** vLLM's limits, which DJL Serving shares. */
final class VllmRules {

    /** What {@code max_lora_rank} is unless it is set. */
    private static final int USUAL_RANK = 16;

    /** The values that {@code max_lora_rank} takes. */
    private static final List<Integer> RANKS = List.of(8, 16, 32, 64, 128, 256, 320, 512);

    private VllmRules() {}

    static int largestRank() {
        return RANKS.get(RANKS.size() - 1);
    }

    /** The smallest {@code max_lora_rank} that takes a rank, but not below the usual one. */
    static int maxLoraRank(int rank) {
        return RANKS.stream()
                .filter(most -> most >= Math.max(rank, USUAL_RANK))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("rank " + rank));
    }

    static void check(SavedModules saved, List<ServerFinding> findings) {
        if (saved.config().flag("use_dora")) {
            findings.add(ServerFinding.refused("use_dora: vLLM has LoRA only"));
        }
        if (!saved.config().strings("modules_to_save").isEmpty()) {
            findings.add(ServerFinding.refused("modules_to_save: vLLM takes none"));
        }
        if (!saved.config().string("bias").orElse("none").equals("none")
                || saved.config().flag("lora_bias")) {
            findings.add(ServerFinding.refused("biases: vLLM takes none"));
        }
        if (saved.config().has("trainable_token_indices")) {
            findings.add(ServerFinding.refused("trainable_token_indices: vLLM takes none"));
        }
        int rank = Math.max(saved.largestRank(), saved.rank());
        if (rank > largestRank()) {
            findings.add(
                    ServerFinding.refused(
                            "rank " + rank + ": vLLM takes at most " + largestRank()));
        } else if (rank > USUAL_RANK) {
            findings.add(
                    ServerFinding.needs(
                            "rank "
                                    + rank
                                    + ": start vLLM with --max-lora-rank "
                                    + maxLoraRank(rank)
                                    + ", in DJL Serving option.max_lora_rank"));
        }
        saved.wrongScaling(module -> saved.commonScaling(saved.rank()))
                .ifPresent(
                        text ->
                                findings.add(
                                        ServerFinding.wrong(
                                                "vLLM knows one scaling, that of r and lora_alpha: "
                                                        + text)));
    }
}
