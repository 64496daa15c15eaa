package io.peft4j.tuning.reward;

import ai.djl.Device;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What {@code make_reward_cases.py} wrote, and the LLaMA that it wrote it with. */
final class RewardGoldens {

    static final int VOCABULARY = 264;
    private static final Path LLAMA = TestData.path("golden/llama3");

    private RewardGoldens() {}

    /** Returns the model, with a head that no adapter of its own head uses. */
    static CausalLm llama() throws IOException {
        CausalLm model = CausalLm.load(LLAMA.resolve("model"), Device.cpu());
        model.addScoreHead(7);
        return model;
    }

    /** Returns the adapter that a run began with. */
    static Path start(String name) {
        return LLAMA.resolve(name);
    }

    static JsonElement json(String name) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("reward/" + name)));
    }

    static List<JsonObject> list(String name) throws IOException {
        return objects(json(name));
    }

    static List<JsonObject> objects(JsonElement array) {
        return array.getAsJsonArray().asList().stream().map(JsonElement::getAsJsonObject).toList();
    }

    static Tokenizer tokenizer() throws IOException {
        return Tokenizer.load(TestData.path("golden/tokenizer"));
    }

    static List<PreferencePair> pairs(boolean margins) throws IOException {
        try (Tokenizer tokenizer = tokenizer()) {
            return RewardDataset.read(
                            TestData.path("reward/rows.jsonl"), tokenizer, VOCABULARY, 128)
                    .pairs()
                    .stream()
                    .map(p -> margins ? p : new PreferencePair(p.chosen(), p.rejected()))
                    .toList();
        }
    }

    static double[] doubles(JsonElement array) {
        return array.getAsJsonArray().asList().stream()
                .mapToDouble(JsonElement::getAsDouble)
                .toArray();
    }

    static long[] longs(JsonElement array) {
        return array.getAsJsonArray().asList().stream().mapToLong(JsonElement::getAsLong).toArray();
    }
}
