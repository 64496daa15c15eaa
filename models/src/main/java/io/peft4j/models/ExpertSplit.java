package io.peft4j.models;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.LoadReport;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.SavedAdapter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** An adapter of fused experts on its way to one adapter per expert; used once. */
final class ExpertSplit {

    private static final String PARAMETERS = "target_parameters";

    private final SavedAdapter saved;
    private final ExpertModules model;
    private final List<String> parameters;
    private final RankSettings ranks;
    private final Map<String, SavedAdapter.Tensor> tensors = new LinkedHashMap<>();
    private final Set<String> read = new HashSet<>();
    private final Map<String, LayerScales> scales = new LinkedHashMap<>();

    private ExpertSplit(SavedAdapter saved, ExpertModules model) {
        this.saved = saved;
        this.model = model;
        parameters = saved.config().strings(PARAMETERS);
        ranks = new RankSettings(saved.config());
        for (String name : List.of("w1", "w3", "w2")) {
            scales.put(
                    name,
                    new LayerScales(
                            name,
                            layer ->
                                    "layers\\."
                                            + layer
                                            + "\\.block_sparse_moe\\.experts\\.[0-9]+\\."
                                            + name,
                            layer -> ExpertModules.single(layer, 0, name)));
        }
        scales.put(
                ExpertModules.ROUTER,
                new LayerScales(
                        ExpertModules.ROUTER,
                        layer -> "layers\\." + layer + "\\.block_sparse_moe\\.gate",
                        ExpertModules::router));
    }

    /** Returns the adapter with the modules of single experts in the place of parameters. */
    static SavedAdapter of(SavedAdapter saved, ExpertModules model) throws IOException {
        return new ExpertSplit(saved, model).split();
    }

    private SavedAdapter split() throws IOException {
        PeftConfig config = saved.config();
        for (String refused : List.of("use_dora", "lora_bias")) {
            if (!parameters.isEmpty() && config.flag(refused)) {
                throw new AdapterConfigException(
                        config.source()
                                + ": \""
                                + refused
                                + "\" together with \"target_parameters\": PEFT has only plain LoRA"
                                + " on parameters; adapters of single experts (w1, w2, w3) may"
                                + " have it");
            }
        }
        requireKnown();
        for (int layer = 0; layer < model.layers(); layer++) {
            if (isTarget(layer, ExpertModules.ROUTER_WEIGHT)) {
                put(ExpertModules.ROUTER, layer, scale(layer, ExpertModules.ROUTER_WEIGHT));
            }
            splitExperts(layer);
        }
        copyOthers();
        return new SavedAdapter(parameters.isEmpty() ? config : written(), saved.source(), tensors);
    }

    private void put(String name, int layer, RankSettings.Scale scale) {
        LayerScales of = scales.get(name);
        if (of != null) {
            of.put(layer, scale);
        }
    }

    private RankSettings.Scale scale(int layer, String end) {
        return ranks.at(ExpertModules.parameter(layer, end));
    }

    private boolean isTarget(int layer, String end) {
        String path = ExpertModules.parameter(layer, end);
        return parameters.stream().anyMatch(name -> ExpertModules.matches(path, name));
    }

    private void requireKnown() {
        TreeSet<String> unknown = new TreeSet<>(parameters);
        for (int layer = 0; layer < model.layers(); layer++) {
            for (String end :
                    List.of(
                            ExpertModules.GATE_UP,
                            ExpertModules.DOWN,
                            ExpertModules.ROUTER_WEIGHT)) {
                String path = ExpertModules.parameter(layer, end);
                unknown.removeIf(name -> ExpertModules.matches(path, name));
            }
        }
        if (!unknown.isEmpty()) {
            throw new AdapterConfigException(
                    saved.config().source()
                            + ": \"target_parameters\": expected gate_up_proj, down_proj or"
                            + " gate.weight, or one of a layer such as "
                            + ExpertModules.parameter(0, ExpertModules.DOWN)
                            + ", found "
                            + unknown);
        }
    }

    private void splitExperts(int layer) throws IOException {
        boolean gateUp = isTarget(layer, ExpertModules.GATE_UP);
        boolean down = isTarget(layer, ExpertModules.DOWN);
        String outer = ExpertModules.key(ExpertModules.fused(layer));
        String inner = outer + "base_layer."; // PEFT wraps one around the other
        if (gateUp && down) {
            boolean turned = !isGateUp(inner) && isGateUp(outer);
            splitGateUp(layer, turned ? outer : inner);
            splitDown(layer, turned ? inner : outer);
        } else if (gateUp) {
            splitGateUp(layer, outer);
        } else if (down) {
            splitDown(layer, outer);
        }
    }

    private boolean isGateUp(String prefix) throws IOException {
        LowRankMatrices.Shapes shapes = LowRankMatrices.shapes(saved, prefix);
        return shapes.in() == model.hidden() && shapes.out() == 2L * model.width();
    }

    private LowRankMatrices read(String prefix) throws IOException {
        read.add(prefix + LowRankMatrices.A);
        read.add(prefix + LowRankMatrices.B);
        return LowRankMatrices.read(saved, prefix);
    }

    private void requireShapes(LowRankMatrices all, String prefix, int rank, int in, int out)
            throws AdapterMismatchException {
        all.requireShapes(saved, prefix, model.count() * rank, in, out);
    }

    private void splitDown(int layer, String prefix) throws IOException {
        RankSettings.Scale scale = scale(layer, ExpertModules.DOWN);
        LowRankMatrices all = read(prefix);
        requireShapes(all, prefix, scale.rank(), model.width(), model.hidden());
        put("w2", layer, scale);
        write(layer, "w2", all.experts(model.count()));
    }

    private void splitGateUp(int layer, String prefix) throws IOException {
        RankSettings.Scale scale = scale(layer, ExpertModules.GATE_UP);
        LowRankMatrices all = read(prefix);
        int half = model.width();
        requireShapes(all, prefix, scale.rank(), model.hidden(), 2 * half);
        List<LowRankMatrices> each = all.experts(model.count());
        int rank = scale.rank();
        int upper = LowRankMatrices.ranksOfUpperHalf(each);
        if (upper == LowRankMatrices.ALL_ZERO) {
            // nothing trained yet: PEFT doubles the rank of what it fuses
            upper = rank == 2 * ranks.rank() ? rank / 2 : LowRankMatrices.SHARED;
        }
        boolean shared = upper == LowRankMatrices.SHARED;
        int first = shared ? rank : upper;
        int second = shared ? rank : rank - upper;
        put("w1", layer, ranks.resized(scale, first));
        put("w3", layer, ranks.resized(scale, second));
        write(layer, "w1", each.stream().map(e -> e.part(0, half, 0, first)).toList());
        int from = rank - second;
        write(layer, "w3", each.stream().map(e -> e.part(half, half, from, second)).toList());
    }

    private void write(int layer, String name, List<LowRankMatrices> each) {
        for (int e = 0; e < each.size(); e++) {
            each.get(e).writeTo(tensors, ExpertModules.key(ExpertModules.single(layer, e, name)));
        }
    }

    /** Everything but the pairs of the experts, with routers under their own name. */
    private void copyOthers() throws IOException {
        List<String> unexpected = new ArrayList<>();
        for (Map.Entry<String, SavedAdapter.Tensor> entry : saved.tensors().entrySet()) {
            String key = entry.getKey();
            int layer = ExpertModules.layerOf(key);
            String router = ExpertModules.key(ExpertModules.fusedRouter(layer));
            if (key.startsWith(router)) {
                key =
                        ExpertModules.key(ExpertModules.router(layer))
                                + key.substring(router.length());
            } else if (key.startsWith(ExpertModules.key(ExpertModules.fused(layer)))) {
                if (!read.contains(key)) {
                    unexpected.add(key);
                }
                continue;
            }
            tensors.put(key, entry.getValue());
        }
        if (!unexpected.isEmpty()) {
            throw new AdapterMismatchException(
                    saved.source(), new LoadReport(List.of(), unexpected, List.of()));
        }
    }

    private PeftConfig written() {
        JsonObject json = saved.config().json().deepCopy();
        json.add("target_modules", targets(json));
        json.add(PARAMETERS, JsonNull.INSTANCE);
        ranks.write(json, model.others(), scales.values());
        return new PeftConfig(saved.config().source(), json);
    }

    private JsonElement targets(JsonObject json) {
        JsonElement before = json.get("target_modules");
        boolean text = before instanceof JsonPrimitive;
        if (text && !before.getAsString().equalsIgnoreCase("all-linear")) {
            StringBuilder expression = new StringBuilder("(?:" + before.getAsString() + ")");
            scales.values().forEach(of -> expression.append(of.alternatives(model.layers())));
            return new JsonPrimitive(expression.toString());
        }
        JsonArray names = new JsonArray();
        // on transformers 5 nothing but the attention has linear layers
        (text ? LlamaStyle.ATTENTION : saved.config().strings("target_modules"))
                .forEach(names::add);
        boolean layered = !saved.config().integers("layers_to_transform").isEmpty();
        scales.forEach(
                (name, of) -> {
                    if (!layered && of.layers().size() == model.layers()) {
                        names.add(name);
                    } else {
                        // a whole path is taken in whatever layer
                        of.layers().forEach(layer -> paths(name, layer).forEach(names::add));
                    }
                });
        return names;
    }

    private List<String> paths(String name, int layer) {
        if (name.equals(ExpertModules.ROUTER)) {
            return List.of(ExpertModules.router(layer));
        }
        return IntStream.range(0, model.count())
                .mapToObj(expert -> ExpertModules.single(layer, expert, name))
                .toList();
    }
}
