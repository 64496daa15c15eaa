package io.peft4j.tuning.online.ppo;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.stream.IntStream;

/** What {@code make_ppo_cases.py} wrote. */
final class PpoGoldens {

    private PpoGoldens() {}

    static List<JsonObject> list(String name) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("ppo/" + name)))
                .getAsJsonArray()
                .asList()
                .stream()
                .map(JsonElement::getAsJsonObject)
                .toList();
    }

    static JsonObject of(String name, String list) throws IOException {
        return list(list).stream()
                .filter(one -> one.get("name").getAsString().equals(name))
                .findFirst()
                .orElseThrow();
    }

    static double[] doubles(JsonElement array) {
        return array.getAsJsonArray().asList().stream()
                .mapToDouble(JsonElement::getAsDouble)
                .toArray();
    }

    static List<double[]> rows(JsonElement arrays) {
        return arrays.getAsJsonArray().asList().stream().map(PpoGoldens::doubles).toList();
    }

    /** The settings that a case or a run was made with. */
    static PpoConfig.Builder config(JsonObject golden) {
        JsonObject settings = golden.getAsJsonObject("settings");
        return PpoConfig.builder()
                .optKlCoef(number(settings, "kl_coef"))
                .optKlEstimator(KlEstimator.ofTrlName(settings.get("kl_estimator").getAsString()))
                .optKlInLoss(settings.get("kl_in_loss").getAsBoolean())
                .optClipRange(number(settings, "cliprange"))
                .optValueCoef(number(settings, "vf_coef"))
                .optValueClipRange(number(settings, "cliprange_value"))
                .optGamma(number(settings, "gamma"))
                .optLambda(number(settings, "lam"))
                .optWhitenRewards(settings.get("whiten_rewards").getAsBoolean());
    }

    static double number(JsonObject object, String name) {
        return object.get(name).getAsDouble();
    }

    /** What models say of a case's answers before anything is learned. */
    static List<ScoredAnswer> answers(JsonObject golden) {
        JsonArray scores = golden.getAsJsonArray("scores");
        return IntStream.range(0, scores.size())
                .mapToObj(
                        row ->
                                new ScoredAnswer(
                                        scores.get(row).getAsDouble(),
                                        golden.getAsJsonArray("ended").get(row).getAsBoolean(),
                                        rows(golden.get("logps")).get(row),
                                        rows(golden.get("ref")).get(row),
                                        rows(golden.get("values")).get(row)))
                .toList();
    }
}
