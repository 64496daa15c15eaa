package io.peft4j.serving;

import io.peft4j.models.ModelConfig;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What llama.cpp's converter and loader take. */
final class LlamaCppRules {

    private LlamaCppRules() {}

    static void check(
            SavedModules saved, @Nullable ModelConfig model, List<ServerFinding> findings) {
        // the converter passes over base weights and keeps norms, which the loader leaves aside
        List<String> unknown =
                saved.others().stream()
                        .filter(name -> !name.endsWith(".base_layer.weight"))
                        .toList();
        if (!unknown.isEmpty()) {
            findings.add(
                    ServerFinding.refused(
                            "llama.cpp's converter takes nothing but pairs of A and B: "
                                    + SavedModules.some(unknown)));
        }
        saved.wrongScaling(module -> scaling(saved, module))
                .ifPresent(
                        text ->
                                findings.add(
                                        ServerFinding.wrong(
                                                "llama.cpp's scaling is lora_alpha divided by each"
                                                        + " module's rank, whatever use_rslora and"
                                                        + " alpha_pattern say: "
                                                        + text)));
        if (model == null) {
            return;
        }
        if (!LlamaCppNames.knows(model)) {
            findings.add(
                    ServerFinding.refused(
                            "no names of llama.cpp are known for " + model.modelType()));
            return;
        }
        LlamaCppNames names = new LlamaCppNames(model);
        List<String> nameless =
                saved.modules().keySet().stream()
                        .filter(module -> names.refusal(module).isPresent())
                        .toList();
        if (!nameless.isEmpty()) {
            findings.add(ServerFinding.refused(names.refusal(nameless.get(0)).orElseThrow()));
        }
    }

    /** An alpha of zero means 1 there. */
    private static double scaling(SavedModules saved, String module) {
        double alpha = saved.config().number("lora_alpha").orElse(8.0);
        return alpha == 0 ? 1 : alpha / Objects.requireNonNull(saved.modules().get(module));
    }
}
