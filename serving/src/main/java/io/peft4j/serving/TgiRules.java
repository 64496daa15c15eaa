package io.peft4j.serving;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What Text Generation Inference reads, as far as its loader shows: pairs of A and B of the
 * attention's and the feed-forward network's linear layers and of the head, and of each kind those
 * of all layers or none. Everything else in an adapter it passes over.
 */
final class TgiRules {

    private static final int LEAST_RANK = 8;
    private static final int RANK_STEP = 16;

    private static final Pattern MODULE =
            Pattern.compile(
                    "model\\.layers\\.(\\d+)\\.(self_attn\\.(?:q|k|v|qkv|o)_proj"
                            + "|mlp\\.(?:gate|up|down)_proj)");

    private TgiRules() {}

    /**
     * The rank that TGI's kernels take on one GPU. It fills up smaller ones itself, and then
     * divides lora_alpha by the larger rank for all kinds of modules but the first.
     */
    static int paddedRank(int rank) {
        return rank <= LEAST_RANK ? LEAST_RANK : (rank + RANK_STEP - 1) / RANK_STEP * RANK_STEP;
    }

    /** Tells whether TGI looks for a module. */
    static boolean reads(String module) {
        return module.equals("lm_head") || MODULE.matcher(module).matches();
    }

    /** The layers that have each kind of module, such as {@code mlp.up_proj}. */
    static Map<String, Set<Integer>> layers(Iterable<String> modules) {
        Map<String, Set<Integer>> layers = new TreeMap<>();
        for (String module : modules) {
            Matcher matcher = MODULE.matcher(module);
            if (matcher.matches()) {
                layers.computeIfAbsent(matcher.group(2), kind -> new TreeSet<>())
                        .add(Integer.parseInt(matcher.group(1)));
            }
        }
        return layers;
    }

    static void check(SavedModules saved, int layerCount, List<ServerFinding> findings) {
        List<String> unread =
                saved.modules().keySet().stream().filter(module -> !reads(module)).toList();
        if (!unread.isEmpty()) {
            findings.add(
                    ServerFinding.wrong(
                            "TGI passes over the modules that it does not look for: "
                                    + SavedModules.some(unread)));
        }
        if (!saved.others().isEmpty()) {
            findings.add(
                    ServerFinding.wrong(
                            "TGI passes over all tensors but lora_A.weight and lora_B.weight: "
                                    + SavedModules.some(saved.others())));
        }
        Map<String, Set<Integer>> layers = layers(saved.modules().keySet());
        int count =
                Math.max(
                        layerCount,
                        layers.values().stream()
                                .flatMap(Set::stream)
                                .mapToInt(layer -> layer + 1)
                                .max()
                                .orElse(0));
        layers.forEach(
                (kind, found) -> {
                    if (found.size() < count) {
                        findings.add(
                                ServerFinding.wrong(
                                        "TGI passes over a kind of module unless all layers have"
                                                + " it: "
                                                + kind
                                                + " is adapted in "
                                                + found.size()
                                                + " of "
                                                + count
                                                + " layers"));
                    }
                });
        long padded =
                saved.modules().values().stream().map(TgiRules::paddedRank).distinct().count();
        if (padded > 1) {
            findings.add(
                    ServerFinding.refused(
                            "TGI stacks the layers' matrices, so that ranks of one kind must be the"
                                    + " same up to its padding"));
        }
        if (paddedRank(saved.rank()) != saved.rank() && saved.modules().size() > 1) {
            findings.add(
                    ServerFinding.wrong(
                            "TGI fills rank "
                                    + saved.rank()
                                    + " up to "
                                    + paddedRank(saved.rank())
                                    + " and divides lora_alpha by that for all kinds of modules but"
                                    + " the first"));
        }
        saved.wrongScaling(module -> saved.commonScaling(saved.rank()))
                .ifPresent(
                        text ->
                                findings.add(
                                        ServerFinding.wrong(
                                                "TGI knows one scaling, that of r and lora_alpha: "
                                                        + text)));
    }
}
