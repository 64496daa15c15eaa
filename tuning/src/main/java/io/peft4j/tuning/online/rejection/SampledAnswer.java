package io.peft4j.tuning.online.rejection;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.stream.StreamSupport;

/**
 * An answer with what it was found worth.
 *
 * @param text the answer without special tokens
 * @param ids its tokens
 * @param ended whether the model ended it itself; else it was cut at its greatest length
 * @param rewards what each judge gave, in their order, without their weights
 * @param reward the sum of all, each times its weight
 */
public record SampledAnswer(
        String text, List<Long> ids, boolean ended, List<Double> rewards, double reward) {

    /** Copies the lists. */
    public SampledAnswer {
        ids = List.copyOf(ids);
        rewards = List.copyOf(rewards);
    }

    JsonObject json() {
        JsonObject json = new JsonObject();
        json.addProperty("text", text);
        JsonArray tokens = new JsonArray();
        ids.forEach(tokens::add);
        json.add("ids", tokens);
        json.addProperty("ended", ended);
        JsonArray each = new JsonArray();
        rewards.forEach(each::add);
        json.add("rewards", each);
        json.addProperty("reward", reward);
        return json;
    }

    static SampledAnswer of(JsonObject json) {
        return new SampledAnswer(
                json.get("text").getAsString(),
                elements(json, "ids").stream().map(JsonElement::getAsLong).toList(),
                json.get("ended").getAsBoolean(),
                elements(json, "rewards").stream().map(JsonElement::getAsDouble).toList(),
                json.get("reward").getAsDouble());
    }

    private static List<JsonElement> elements(JsonObject json, String key) {
        return StreamSupport.stream(json.getAsJsonArray(key).spliterator(), false).toList();
    }
}
