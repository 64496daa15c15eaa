package io.peft4j.tuning.choice;

import ai.djl.Device;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What {@code make_choice_cases.py} wrote, and the rows and models that it wrote it with. */
final class ChoiceGoldens {

    static final Path LLAMA = TestData.path("golden/llama3");
    private static final Path EMBEDDED = TestData.path("embedded/model");

    private ChoiceGoldens() {}

    static JsonObject of(ChoiceTask task) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("choice/cases.json")))
                .getAsJsonObject()
                .getAsJsonObject(task.toString());
    }

    static List<Question> questions(ChoiceTask task) throws IOException {
        return ChoiceDataset.read(TestData.path("choice/" + task + ".jsonl"), task);
    }

    static CausalLm model(String name) throws IOException {
        return name.startsWith("llama3")
                ? CausalLm.load(LLAMA.resolve("model"), Device.cpu())
                : CausalLm.load(EMBEDDED, Device.cpu(), Dtype.F32);
    }

    static Tokenizer tokenizer(String name) throws IOException {
        return Tokenizer.load(
                name.startsWith("llama3") ? TestData.path("golden/tokenizer") : EMBEDDED);
    }

    /** Returns the golden choices of a question. */
    static JsonArray choices(JsonObject golden, int question) {
        return golden.getAsJsonArray("choices").get(question).getAsJsonArray();
    }

    static long[] longs(JsonElement array) {
        return array.getAsJsonArray().asList().stream().mapToLong(JsonElement::getAsLong).toArray();
    }
}
