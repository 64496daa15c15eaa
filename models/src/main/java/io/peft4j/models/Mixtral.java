package io.peft4j.models;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * Mixtral (Jiang et al., arXiv:2401.04088): Mistral with a mixture of experts.
 *
 * <p>The modules are those of the published files, {@code block_sparse_moe.experts.0.w1} and so on,
 * also for a checkpoint that keeps the experts of a layer in one tensor, as transformers 5 does in
 * memory. Adapters attach to the attention unless told otherwise. By their names {@code w1}, {@code
 * w2} and {@code w3}, the experts are adapted too, each on the tokens sent to it, with every
 * adapter method. {@code all-linear} takes attention, experts and the router {@code gate}, as in
 * PEFT, also on transformers 5, where it means the parameters that they are there.
 */
final class Mixtral implements ModelFamily {

    private static final String BLOCK = "block_sparse_moe";

    @Override
    public String modelType() {
        return "mixtral";
    }

    @Override
    public List<String> targetModules() {
        return LlamaStyle.ATTENTION;
    }

    @Override
    public Architecture architecture(ConfigJson config) {
        OptionalInt window = LlamaStyle.window(config, OptionalInt.empty());
        return new LlamaStyle(config)
                .requireZero("router_jitter_noise")
                .normEpsilon(1e-5)
                .keyValueHeads(8)
                .ropeTheta(1_000_000)
                .windows(layer -> window)
                .experts(experts(config), BLOCK, "w1", "w3", "w2")
                .architecture();
    }

    private static Experts experts(ConfigJson config) {
        int count = config.size("num_local_experts", 8);
        int perToken = config.size("num_experts_per_tok", 2);
        if (perToken > count) {
            throw config.wrong("num_experts_per_tok", "at most " + count, perToken);
        }
        double weight = config.number("router_aux_loss_coef").orElse(0.001);
        boolean balanced = config.flag("output_router_logits").orElse(false);
        return new Experts(
                count,
                perToken,
                "gate",
                "experts",
                balanced ? OptionalDouble.of(weight) : OptionalDouble.empty());
    }

    /** The layout that transformers 5 has in memory: a layer's experts in two tensors. */
    @Override
    public List<CheckpointLayout> fusedLayouts(Architecture architecture) {
        Experts experts = architecture.experts();
        Map<String, StoredTensor> tensors = new LinkedHashMap<>();
        for (int i = 0; i < architecture.layers().size(); i++) {
            String from = "model.layers." + i + "." + BLOCK + ".";
            String to = "model.layers." + i + ".mlp.";
            long count = experts == null ? 0 : experts.count();
            long hidden = architecture.hiddenSize();
            long width = architecture.layers().get(i).ffnWidth();
            List<String> gateUp = new ArrayList<>();
            List<String> down = new ArrayList<>();
            for (int e = 0; e < count; e++) {
                gateUp.add(from + "experts." + e + ".w1.weight");
                gateUp.add(from + "experts." + e + ".w3.weight");
                down.add(from + "experts." + e + ".w2.weight");
            }
            tensors.put(
                    to + "gate.weight",
                    StoredTensor.of(List.of(from + "gate.weight"), count, hidden));
            tensors.put(
                    to + "experts.gate_up_proj", StoredTensor.of(gateUp, count, 2 * width, hidden));
            tensors.put(to + "experts.down_proj", StoredTensor.of(down, count, hidden, width));
        }
        return List.of(new CheckpointLayout(tensors));
    }
}
