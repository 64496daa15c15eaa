package io.peft4j.tuning.online;

import ai.djl.Device;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The tiny LLaMA with an adapter and a tokenizer of bytes, and what it can be asked. */
public record OnlineModel(CausalLm model, Tokenizer tokenizer, AdaptedModel adapted)
        implements AutoCloseable {

    public static final Path LLAMA = TestData.path("golden/llama3");

    /** The share of lower-case letters among the characters of an answer. */
    public static final RewardFunction LETTERS =
            RewardFunction.each(
                    one ->
                            one.text().chars().filter(c -> c >= 'a' && c <= 'z').count()
                                    / (double) Math.max(1, one.text().length()));

    public static final List<Reward> REWARDS = List.of(new Reward("letters", LETTERS));

    /** With an adapter that changes the model. */
    public static OnlineModel trained(String name) throws IOException {
        CausalLm model = CausalLm.load(LLAMA.resolve("model"), Device.cpu());
        return new OnlineModel(model, tokens(), Adapters.load(model.block(), LLAMA.resolve(name)));
    }

    /** With a new adapter. */
    public static OnlineModel fresh(AdapterConfig config) throws IOException {
        CausalLm model = CausalLm.load(LLAMA.resolve("model"), Device.cpu());
        return new OnlineModel(model, tokens(), Adapters.attach(model.block(), config));
    }

    private static Tokenizer tokens() throws IOException {
        return Tokenizer.load(TestData.path("golden/tokenizer"));
    }

    public List<Prompt> prompts() {
        return prompts("2+2=", "The sky is", "a b c", "Up or down? ");
    }

    public List<Prompt> prompts(String... texts) {
        return Stream.of(texts)
                .map(text -> new Prompt(tokenizer.encode(text, true), text, new JsonObject()))
                .toList();
    }

    @Override
    public void close() {
        adapted.close();
        tokenizer.close();
        model.close();
    }
}
