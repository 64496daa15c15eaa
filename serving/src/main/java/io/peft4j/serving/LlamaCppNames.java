package io.peft4j.serving;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.models.LayerShape;
import io.peft4j.models.ModelConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How llama.cpp calls a model's tensors and keeps them. Its "llama" architecture, which is LLaMA's,
 * Mistral's and Mixtral's, has the rows of queries and keys in another order than Hugging Face; the
 * experts of a layer are one tensor; OpenELM's fused projection is two.
 */
final class LlamaCppNames {

    private static final Map<String, String> ARCHITECTURES =
            Map.of(
                    "llama", "llama",
                    "mistral", "llama",
                    "mixtral", "llama",
                    "qwen2", "qwen2",
                    "phi3", "phi3",
                    "openelm", "openelm");

    private static final Map<String, String> IN_LAYER =
            Map.ofEntries(
                    Map.entry("self_attn.q_proj", "attn_q"),
                    Map.entry("self_attn.k_proj", "attn_k"),
                    Map.entry("self_attn.v_proj", "attn_v"),
                    Map.entry("self_attn.qkv_proj", "attn_qkv"),
                    Map.entry("self_attn.o_proj", "attn_output"),
                    Map.entry("mlp.gate_proj", "ffn_gate"),
                    Map.entry("mlp.up_proj", "ffn_up"),
                    Map.entry("mlp.gate_up_proj", "ffn_up"),
                    Map.entry("mlp.down_proj", "ffn_down"),
                    Map.entry("block_sparse_moe.gate", "ffn_gate_inp"),
                    Map.entry("attn.qkv_proj", "attn_qkv"),
                    Map.entry("attn.out_proj", "attn_output"),
                    Map.entry("ffn.proj_2", "ffn_down"));

    private static final Map<String, String> OF_EXPERT =
            Map.of("w1", "ffn_gate_exps", "w2", "ffn_down_exps", "w3", "ffn_up_exps");

    private static final Pattern LAYER =
            Pattern.compile("(?:model|transformer)\\.layers\\.(\\d+)\\.(.+)");
    private static final Pattern EXPERT =
            Pattern.compile("block_sparse_moe\\.experts\\.(\\d+)\\.(w[123])");

    private final ModelConfig model;
    private final String architecture;

    LlamaCppNames(ModelConfig model) {
        this.model = model;
        String known = ARCHITECTURES.get(model.modelType());
        if (known == null) {
            throw new AdapterConfigException(
                    "no names of llama.cpp are known for " + model.modelType());
        }
        architecture = known;
    }

    static boolean knows(ModelConfig model) {
        return ARCHITECTURES.containsKey(model.modelType());
    }

    /** The value of {@code general.architecture}. */
    String architecture() {
        return architecture;
    }

    /**
     * Where a module's pair goes.
     *
     * @param tensor the base tensor's name, without {@code .weight}
     * @param expert the expert's number; -1 if the tensor is the module's alone
     * @param heads the number of heads whose rows are reordered; 0 for none
     * @param half which half of B's rows it takes; -1 for all
     */
    record Place(String tensor, int expert, int heads, int half) {}

    /** Says why llama.cpp cannot have a pair for a module; empty if it can. */
    Optional<String> refusal(String module) {
        if ((isEmbedding(module) || module.equals("lm_head")) && model.hasTiedHead()) {
            return Optional.of(
                    module
                            + ": llama.cpp has one tensor for embeddings and head of a model that"
                            + " ties them, and cannot adapt one of them");
        }
        return places(module).isEmpty()
                ? Optional.of(module + ": no name of llama.cpp is known for it")
                : Optional.empty();
    }

    /** Where a module's pair goes: one place, or one per half; none if llama.cpp has no name. */
    List<Place> places(String module) {
        if (isEmbedding(module)) {
            return List.of(new Place("token_embd", -1, 0, -1));
        }
        if (module.equals("lm_head")) {
            return List.of(new Place("output", -1, 0, -1));
        }
        Matcher layer = LAYER.matcher(module);
        if (!layer.matches()) {
            return List.of();
        }
        int number = Integer.parseInt(layer.group(1));
        String block = "blk." + number + ".";
        String rest = layer.group(2);
        if (rest.equals("ffn.proj_1")) {
            return List.of(
                    new Place(block + "ffn_gate", -1, 0, 0), new Place(block + "ffn_up", -1, 0, 1));
        }
        Matcher expert = EXPERT.matcher(rest);
        if (expert.matches()) {
            String tensor = block + OF_EXPERT.get(expert.group(2));
            return List.of(new Place(tensor, Integer.parseInt(expert.group(1)), 0, -1));
        }
        String name = IN_LAYER.get(rest);
        return name == null || number >= model.layers().size()
                ? List.of()
                : List.of(new Place(block + name, -1, heads(rest, number), -1));
    }

    static boolean isEmbedding(String module) {
        return module.equals("model.embed_tokens") || module.equals("transformer.token_embeddings");
    }

    private int heads(String inLayer, int number) {
        if (!architecture.equals("llama")) {
            return 0;
        }
        LayerShape layer = model.layers().get(number);
        return switch (inLayer) {
            case "self_attn.q_proj" -> layer.queryHeads();
            case "self_attn.k_proj" -> layer.keyValueHeads();
            default -> 0;
        };
    }

    /** The number of experts of each layer. */
    int experts() {
        return model.json().has("num_local_experts")
                ? model.json().get("num_local_experts").getAsInt()
                : 8; // Mixtral's own
    }
}
