package io.peft4j.tuning.preference;

import ai.djl.Device;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What {@code make_dpo_cases.py} wrote, and the LLaMA that it wrote it with. */
final class DpoGoldens {

    static final Path LLAMA = TestData.path("golden/llama3");
    static final int VOCABULARY = 264;

    private DpoGoldens() {}

    static CausalLm llama() throws IOException {
        return CausalLm.load(LLAMA.resolve("model"), Device.cpu());
    }

    /** Returns the adapter that a run began with. */
    static Path start(String name) {
        return name.startsWith("fresh") ? TestData.path("dpo/" + name) : LLAMA.resolve(name);
    }

    static JsonElement json(String name) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("dpo/" + name)));
    }

    static List<JsonObject> list(String name) throws IOException {
        return json(name).getAsJsonArray().asList().stream()
                .map(JsonElement::getAsJsonObject)
                .toList();
    }

    static List<PreferencePair> pairs() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(TestData.path("golden/tokenizer"))) {
            return PreferenceDataset.read(
                            TestData.path("dpo/rows.jsonl"),
                            tokenizer,
                            new PreferenceOptions(VOCABULARY, 128))
                    .pairs();
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
