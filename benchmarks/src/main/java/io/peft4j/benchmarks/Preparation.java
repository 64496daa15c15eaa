package io.peft4j.benchmarks;

import ai.djl.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.ModelConfig;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Makes the random model and the adapters that both sides start from, once per directory. */
final class Preparation {

    private static final int RANK = 16;
    private static final int ALPHA = 32;
    private static final long SEED = 1;

    private final Path directory;

    Preparation(Path directory) {
        this.directory = directory;
    }

    Path model(String name) {
        return directory.resolve(name);
    }

    Path adapter(String name, String method) {
        return directory.resolve(name + "-" + method);
    }

    int vocabularySize(String name) throws IOException {
        return config(name).vocabularySize();
    }

    /** Makes what is missing of a shape: the model, float32, and an adapter of each method. */
    void prepare(String name) throws IOException {
        if (Files.isDirectory(adapter(name, "dora"))) {
            return; // the last that is made
        }
        try (CausalLm model = CausalLm.create(config(name), Device.cpu(), SEED)) {
            model.save(model(name), Dtype.F32);
            save(model, config("lora", model), adapter(name, "lora"));
            save(model, config("dora", model), adapter(name, "dora"));
        }
    }

    /** Returns the settings of an adapter on all linear layers. */
    AdapterConfig config(String method, CausalLm model) {
        return method.equals("dora")
                ? settings(DoraConfig.builder(), model).build()
                : settings(LoraConfig.builder(), model).build();
    }

    private static <T extends LowRankConfig.Builder<T>> T settings(T builder, CausalLm model) {
        return builder.setRank(RANK)
                .optAlpha(ALPHA)
                .setTargetModules(linearNames(model))
                .optTaskType("CAUSAL_LM");
    }

    /**
     * Names all linear layers but the head: PEFT knows all-linear for transformers' models only.
     */
    private static String[] linearNames(CausalLm model) {
        return Adapters.sites(model.block()).stream()
                .filter(site -> site.kind() == Site.Kind.LINEAR && !site.outputHead())
                .map(site -> site.path().substring(site.path().lastIndexOf('.') + 1))
                .distinct()
                .toArray(String[]::new);
    }

    private static void save(CausalLm model, AdapterConfig config, Path target) throws IOException {
        try (AdaptedModel adapted = Adapters.attach(model.block(), config, SEED)) {
            adapted.save(target);
        }
    }

    private static ModelConfig config(String name) throws IOException {
        try (InputStream stream = Preparation.class.getResourceAsStream(name + ".json")) {
            if (stream == null) {
                throw new IllegalArgumentException(
                        "no shape named " + name + "; there are llama-317m and openelm-270m");
            }
            Reader reader = new InputStreamReader(stream, StandardCharsets.UTF_8);
            JsonObject json = JsonParser.parseReader(reader).getAsJsonObject();
            return ModelConfig.of(json, name);
        }
    }
}
