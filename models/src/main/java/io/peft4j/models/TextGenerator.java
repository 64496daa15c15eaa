package io.peft4j.models;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Continues texts: a model with its tokenizer. It may be used by several threads at once, and owns
 * neither.
 */
public final class TextGenerator {

    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final List<Long> eosIds;
    private final Generator generator = new Generator();

    /**
     * Puts a model and a tokenizer together.
     *
     * @param model the model
     * @param tokenizer its tokenizer
     */
    public TextGenerator(CausalLm model, Tokenizer tokenizer) {
        this.model = model;
        this.tokenizer = tokenizer;
        eosIds = model.eosIds(tokenizer);
    }

    /**
     * Returns the tokenizer.
     *
     * @return the tokenizer
     */
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    /**
     * Returns the tokens that end the model's texts.
     *
     * @return those of {@code config.json}, of {@code generation_config.json} and of the tokenizer
     */
    public List<Long> eosIds() {
        return eosIds;
    }

    /**
     * Continues a text.
     *
     * @param prompt what to continue; the tokenizer's own special tokens come before it
     * @param config how to choose
     * @return the continuation
     * @throws InvalidTokensException if the prompt is empty or does not fit the context
     */
    public GeneratedText generate(String prompt, GenerationConfig config) {
        return generate(List.of(tokenizer.encode(prompt, true)), config, (row, text) -> {}).get(0);
    }

    /**
     * Answers a conversation.
     *
     * @param messages the turns, written with the chat template
     * @param config how to choose
     * @return the answer
     * @throws ChatTemplateException if the conversation cannot be written
     * @throws InvalidTokensException if it does not fit the context
     */
    public GeneratedText answer(List<Message> messages, GenerationConfig config) {
        return generate(List.of(encode(messages)), config, (row, text) -> {}).get(0);
    }

    /**
     * Returns the tokens of a conversation that the assistant is to answer.
     *
     * @param messages the turns
     * @return the tokens, the beginning of the answer included
     * @throws ChatTemplateException if the conversation cannot be written
     */
    public long[] encode(List<Message> messages) {
        return tokenizer.encode(tokenizer.applyChatTemplate(messages, true), false);
    }

    /**
     * Continues several texts together.
     *
     * @param prompts their tokens
     * @param config how to choose; row i draws with seed + i
     * @param listener is told the texts as they come
     * @return the continuations, in the order of the prompts
     * @throws InvalidTokensException as {@link Generator#generate}
     */
    public List<GeneratedText> generate(
            List<long[]> prompts, GenerationConfig config, TextListener listener) {
        return generate(prompts, List.of(), config, listener);
    }

    /**
     * Continues several texts together, each with an adapter of its own.
     *
     * @param prompts their tokens
     * @param adapterNames as {@link Generator#generate(CausalLm, List, List, GenerationConfig,
     *     GenerationListener)} has them
     * @param config how to choose; row i draws with seed + i
     * @param listener is told the texts as they come
     * @return the continuations, in the order of the prompts
     * @throws InvalidTokensException as {@link Generator#generate}
     * @throws IllegalArgumentException as there, for names
     */
    public List<GeneratedText> generate(
            List<long[]> prompts,
            List<String> adapterNames,
            GenerationConfig config,
            TextListener listener) {
        List<TextStream> streams = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            int row = i;
            streams.add(
                    new TextStream(
                            tokenizer, config.stopStrings(), text -> listener.onText(row, text)));
        }
        List<long[]> generated =
                generator.generate(
                        model,
                        prompts,
                        adapterNames,
                        config,
                        (row, id) -> streams.get(row).accept(id));
        List<GeneratedText> texts = new ArrayList<>();
        for (int i = 0; i < generated.size(); i++) {
            TextStream stream = streams.get(i);
            long[] ids = generated.get(i);
            texts.add(
                    new GeneratedText(
                            stream.finish(),
                            Arrays.stream(ids).boxed().toList(),
                            prompts.get(i).length,
                            end(stream, ids, config)));
        }
        return texts;
    }

    private static GeneratedText.End end(TextStream stream, long[] ids, GenerationConfig config) {
        if (stream.isStopped()) {
            return GeneratedText.End.STOP;
        }
        return config.eosIds().contains(ids[ids.length - 1])
                ? GeneratedText.End.EOS
                : GeneratedText.End.LENGTH;
    }
}
