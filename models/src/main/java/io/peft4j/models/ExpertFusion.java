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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** An adapter of single experts on its way to PEFT's layout for fused ones; used once. */
final class ExpertFusion {

    private static final List<String> PLAIN_STARTS =
            List.of("true", "false", "\"gaussian\"", "\"eva\"");

    private final SavedAdapter saved;
    private final ExpertModules model;
    private final RankSettings ranks;
    private final Set<String> read = new HashSet<>();
    private final Map<String, SavedAdapter.Tensor> tensors = new LinkedHashMap<>();
    private final LayerScales gateUps = parameter(ExpertModules.GATE_UP);
    private final LayerScales downs = parameter(ExpertModules.DOWN);
    private final LayerScales routers = parameter(ExpertModules.ROUTER_WEIGHT);

    private ExpertFusion(SavedAdapter saved, ExpertModules model) {
        this.saved = saved;
        this.model = model;
        ranks = new RankSettings(saved.config());
    }

    private static LayerScales parameter(String end) {
        return new LayerScales(
                ".*\\." + end.replace(".", "\\."),
                layer -> ExpertModules.parameter(layer, end).replace(".", "\\."),
                layer -> ExpertModules.parameter(layer, end));
    }

    /** Returns the adapter with parameters in the place of the modules of single experts. */
    static SavedAdapter of(SavedAdapter saved, ExpertModules model) throws IOException {
        return new ExpertFusion(saved, model).fuse();
    }

    private SavedAdapter fuse() throws IOException {
        requirePlain();
        for (int layer = 0; layer < model.layers(); layer++) {
            boolean down = isAdapted(layer, "w2");
            boolean gateUp = isAdapted(layer, "w1");
            if (gateUp != isAdapted(layer, "w3")) {
                throw refusal(
                        "layer " + layer,
                        "adapters of w1 and of w3, which are one parameter there",
                        "one of them");
            }
            String outer = ExpertModules.key(ExpertModules.fused(layer));
            if (gateUp) {
                fuseGateUp(layer, down ? outer + "base_layer." : outer);
            }
            if (down) {
                downs.put(layer, scale(layer, "w2"));
                LowRankMatrices.together(readAll(layer, "w2")).writeTo(tensors, outer);
            }
        }
        copyOthers();
        return new SavedAdapter(written(), saved.source(), tensors);
    }

    private void requirePlain() {
        PeftConfig config = saved.config();
        if (!config.strings("target_parameters").isEmpty()) {
            throw refusal("\"target_parameters\"", "adapters of single experts", "fused ones");
        }
        if (config.flag("use_dora")) {
            throw refusal("\"use_dora\"", "LoRA, as PEFT has no DoRA on parameters", "DoRA");
        }
        if (config.flag("lora_bias")) {
            throw refusal("\"lora_bias\"", "none, as PEFT has none on parameters", "one");
        }
        JsonElement start = config.json().get("init_lora_weights");
        if (start != null && !start.isJsonNull() && !PLAIN_STARTS.contains(start.toString())) {
            throw refusal(
                    "\"init_lora_weights\"",
                    "one of "
                            + PLAIN_STARTS
                            + ", as PEFT starts no parameter otherwise; make a"
                            + " plain adapter of it first (LoraConversion.toPlain)",
                    start.toString());
        }
    }

    private AdapterConfigException refusal(String what, String expected, String found) {
        return new AdapterConfigException(
                saved.config().source()
                        + ": "
                        + what
                        + " on the way to PEFT's layout of fused experts: expected "
                        + expected
                        + ", found "
                        + found);
    }

    /** Tells whether all experts of a layer have an adapter of a projection, or none has. */
    private boolean isAdapted(int layer, String name) throws AdapterMismatchException {
        List<String> missing = new ArrayList<>();
        for (int e = 0; e < model.count(); e++) {
            String key = key(layer, e, name) + LowRankMatrices.A;
            if (!saved.tensors().containsKey(key)) {
                missing.add(key);
            }
        }
        if (!missing.isEmpty() && missing.size() < model.count()) {
            throw new AdapterMismatchException(
                    saved.source(), new LoadReport(missing, List.of(), List.of()));
        }
        return missing.isEmpty();
    }

    private static String key(int layer, int expert, String name) {
        return ExpertModules.key(ExpertModules.single(layer, expert, name));
    }

    private List<LowRankMatrices> readAll(int layer, String name) throws IOException {
        List<LowRankMatrices> all = new ArrayList<>();
        for (int e = 0; e < model.count(); e++) {
            String prefix = key(layer, e, name);
            read.add(prefix + LowRankMatrices.A);
            read.add(prefix + LowRankMatrices.B);
            LowRankMatrices pair = LowRankMatrices.read(saved, prefix);
            int rank = ranks.at(ExpertModules.single(layer, e, name)).rank();
            boolean gateUp = !name.equals("w2");
            pair.requireShapes(
                    saved,
                    prefix,
                    rank,
                    gateUp ? model.hidden() : model.width(),
                    gateUp ? model.width() : model.hidden());
            all.add(pair);
        }
        return all;
    }

    /**
     * Returns the rank and alpha of a projection, which are the same for all experts of a layer.
     */
    private RankSettings.Scale scale(int layer, String name) {
        List<RankSettings.Scale> found =
                IntStream.range(0, model.count())
                        .mapToObj(e -> ranks.at(ExpertModules.single(layer, e, name)))
                        .distinct()
                        .toList();
        if (found.size() > 1) {
            throw refusal(
                    "layer " + layer,
                    "one rank and alpha for the " + name + " of all experts",
                    found.toString());
        }
        return found.get(0);
    }

    private void fuseGateUp(int layer, String prefix) throws IOException {
        RankSettings.Scale upper = scale(layer, "w1");
        RankSettings.Scale lower = scale(layer, "w3");
        if (!RankSettings.near(ranks.scaling(upper), ranks.scaling(lower))) {
            throw refusal(
                    "layer " + layer,
                    "one scaling for w1 and w3, which are one parameter there",
                    ranks.scaling(upper) + " and " + ranks.scaling(lower));
        }
        gateUps.put(layer, ranks.resized(upper, upper.rank() + lower.rank()));
        List<LowRankMatrices> w1 = readAll(layer, "w1");
        List<LowRankMatrices> w3 = readAll(layer, "w3");
        LowRankMatrices.together(
                        IntStream.range(0, model.count())
                                .mapToObj(e -> LowRankMatrices.stacked(w1.get(e), w3.get(e)))
                                .toList())
                .writeTo(tensors, prefix);
    }

    /** Everything but the pairs of the experts, with routers by their name there. */
    private void copyOthers() throws IOException {
        List<String> unexpected = new ArrayList<>();
        for (Map.Entry<String, SavedAdapter.Tensor> entry : saved.tensors().entrySet()) {
            String key = entry.getKey();
            int layer = ExpertModules.layerOf(key);
            String router = ExpertModules.key(ExpertModules.router(layer));
            if (key.startsWith(router)) {
                if (key.endsWith(LowRankMatrices.A)) {
                    routers.put(layer, ranks.at(ExpertModules.router(layer)));
                }
                key =
                        ExpertModules.key(ExpertModules.fusedRouter(layer))
                                + key.substring(router.length());
            } else if (ExpertModules.isOfExperts(key)) {
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
        JsonArray parameters = new JsonArray();
        addNames(parameters, gateUps, ExpertModules.GATE_UP);
        addNames(parameters, downs, ExpertModules.DOWN);
        addNames(parameters, routers, ExpertModules.ROUTER_WEIGHT);
        json.add("target_parameters", parameters.isEmpty() ? JsonNull.INSTANCE : parameters);
        json.add("target_modules", otherTargets(json));
        ranks.write(json, model.others(), List.of(gateUps, downs, routers));
        if (!parameters.isEmpty()) {
            json.addProperty("lora_dropout", 0); // PEFT refuses to load another
        }
        return new PeftConfig(saved.config().source(), json);
    }

    private void addNames(JsonArray parameters, LayerScales of, String end) {
        if (of.layers().size() == model.layers()) {
            parameters.add(end);
        } else {
            of.layers().forEach(layer -> parameters.add(ExpertModules.parameter(layer, end)));
        }
    }

    /** The targets without what are parameters now. */
    private JsonArray otherTargets(JsonObject json) {
        Set<String> adapted = new LinkedHashSet<>();
        for (String module : model.others()) {
            if (saved.tensors().keySet().stream()
                    .anyMatch(key -> key.startsWith(ExpertModules.key(module) + "lora_"))) {
                adapted.add(module);
            }
        }
        List<String> names = new ArrayList<>();
        if (json.get("target_modules") instanceof JsonPrimitive) {
            for (String module : adapted) {
                String end = module.substring(module.lastIndexOf('.') + 1);
                boolean all =
                        model.others().stream()
                                .filter(other -> ExpertModules.matches(other, end))
                                .allMatch(adapted::contains);
                names.add(all ? end : module);
            }
        } else {
            for (String name : saved.config().strings("target_modules")) {
                if (adapted.stream().anyMatch(module -> ExpertModules.matches(module, name))) {
                    names.add(name);
                }
            }
        }
        JsonArray array = new JsonArray();
        names.stream().distinct().forEach(array::add);
        return array;
    }
}
