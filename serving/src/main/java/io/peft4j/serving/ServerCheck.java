package io.peft4j.serving;

import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Tells before a server is started what it would make of a saved adapter. It says what was found in
 * the servers' loaders; a newer version may do more.
 */
public final class ServerCheck {

    private ServerCheck() {}

    /**
     * Checks an adapter's files.
     *
     * @param server the server
     * @param directory a directory in PEFT's format
     * @param model the base model's settings; null if they are not known, which leaves some things
     *     unsaid
     * @return what is refused, goes wrong or needs a flag; empty if the server does right by itself
     * @throws io.peft4j.adapters.AdapterConfigException if the settings are malformed
     * @throws IOException if the files cannot be read
     */
    public static List<ServerFinding> of(Server server, Path directory, @Nullable ModelConfig model)
            throws IOException {
        SavedModules saved = SavedModules.read(directory);
        List<ServerFinding> findings = new ArrayList<>();
        String type = saved.config().string("peft_type").orElse("LORA");
        if (!type.equals("LORA")) {
            findings.add(
                    ServerFinding.refused(
                            "peft_type "
                                    + type
                                    + ": the server takes LoRA alone; merge it into the model"));
            return findings;
        }
        LowRankConfig config = saved.lowRank();
        if (!saved.config().strings("target_parameters").isEmpty()) {
            findings.add(
                    ServerFinding.refused(
                            "experts that are fused (target_parameters): convert --experts single"
                                    + " first"));
            return findings;
        }
        if (config != null && config.init().startsFromWeight()) {
            findings.add(
                    ServerFinding.wrong(
                            "init_lora_weights "
                                    + config.init()
                                    + ": the base model that the server loads lacks what this init"
                                    + " took from its weights"));
        }
        switch (server) {
            case VLLM, DJL_SERVING -> VllmRules.check(saved, findings);
            case TGI -> TgiRules.check(saved, model == null ? 0 : model.layers().size(), findings);
            case LLAMA_CPP -> LlamaCppRules.check(saved, model, findings);
        }
        return findings;
    }
}
