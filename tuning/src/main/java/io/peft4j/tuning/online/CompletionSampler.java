package io.peft4j.tuning.online;

import ai.djl.util.Preconditions;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GeneratedText;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.TextGenerator;
import io.peft4j.models.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Has a model answer prompts, several times each, with the adapters that are in effect on the
 * calling thread.
 */
public final class CompletionSampler {

    private final TextGenerator generator;
    private final GenerationConfig config;
    private final int batchSize;
    private final int context;

    /**
     * Makes a sampler.
     *
     * @param model the model
     * @param tokenizer its tokenizer
     * @param config how to sample; without EOS ids the model's own are used, and its seed is not
     * @param batchSize how many answers are generated together
     */
    public CompletionSampler(
            CausalLm model, Tokenizer tokenizer, GenerationConfig config, int batchSize) {
        Preconditions.checkArgument(
                batchSize > 0, "expected a batch of one answer at least, found " + batchSize);
        generator = new TextGenerator(model, tokenizer);
        this.config =
                config.eosIds().isEmpty()
                        ? config.toBuilder().optEosIds(generator.eosIds()).build()
                        : config;
        this.batchSize = batchSize;
        context = model.config().contextLength();
    }

    /**
     * Returns the temperature of the distribution that answers are drawn from.
     *
     * @return what logits are divided by; 1 if no answer is drawn, but the likeliest taken
     */
    public double temperature() {
        return config.samples() ? config.temperature() : 1;
    }

    /**
     * Returns how many answers are generated together.
     *
     * @return the batch size
     */
    public int batchSize() {
        return batchSize;
    }

    /**
     * Returns what decides the answers beside the model, the prompts and the seed.
     *
     * @return setting by name
     */
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("max_new_tokens", String.valueOf(config.maxNewTokens()));
        settings.put("temperature", String.valueOf(config.temperature()));
        settings.put("top_k", String.valueOf(config.topK()));
        settings.put("top_p", String.valueOf(config.topP()));
        settings.put("min_p", String.valueOf(config.minP()));
        settings.put("repetition_penalty", String.valueOf(config.repetitionPenalty()));
        settings.put("eos_ids", String.valueOf(config.eosIds()));
        settings.put("stop", String.valueOf(config.stopStrings()));
        settings.put("generation_batch_size", String.valueOf(batchSize)); // decides the rounding
        return settings;
    }

    /**
     * Samples answers. An answer depends on the seed and its place in the result, and on the size
     * of its batch by no more than rounding.
     *
     * @param prompts what to ask
     * @param each how many answers each prompt gets
     * @param seed decides the random numbers
     * @param beforeBatch is run before each batch and with the tokens; it may throw, to end the
     *     sampling
     * @return the answers, those to one prompt side by side
     */
    public List<Completion> sample(
            List<Prompt> prompts, int each, long seed, Runnable beforeBatch) {
        List<Prompt> asked = new ArrayList<>(prompts.size() * each);
        for (Prompt prompt : prompts) {
            for (int i = 0; i < each; i++) {
                asked.add(prompt);
            }
        }
        List<Completion> completions = new ArrayList<>(asked.size());
        for (int from = 0; from < asked.size(); from += batchSize) {
            beforeBatch.run();
            List<Prompt> batch = asked.subList(from, Math.min(from + batchSize, asked.size()));
            List<GeneratedText> texts =
                    generator.generate(
                            batch.stream().map(Prompt::ids).toList(),
                            config.toBuilder().optSeed(seed + from).build(),
                            (row, text) -> beforeBatch.run());
            for (int i = 0; i < batch.size(); i++) {
                completions.add(completion(batch.get(i), texts.get(i)));
            }
        }
        return completions;
    }

    /**
     * Refuses prompts whose answers may not fit the model's context.
     *
     * @param prompts what will be asked
     * @throws io.peft4j.models.InvalidTokensException if one is too long
     */
    public void requireRoom(List<Prompt> prompts) {
        for (int i = 0; i < prompts.size(); i++) {
            int length = prompts.get(i).ids().length;
            Preconditions.checkArgument(
                    (long) length + config.maxNewTokens() <= context,
                    "expected at most "
                            + context
                            + " tokens of a prompt and its answer, the model's context, found "
                            + length
                            + " in prompt "
                            + (i + 1)
                            + " and "
                            + config.maxNewTokens()
                            + " for the answer");
        }
    }

    private static Completion completion(Prompt prompt, GeneratedText text) {
        return new Completion(
                prompt,
                text.ids().stream().mapToLong(Long::longValue).toArray(),
                text.text(),
                text.end() != GeneratedText.End.LENGTH);
    }
}
