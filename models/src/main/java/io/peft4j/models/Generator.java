package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.RowAdapters;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Continues texts, token by token.
 *
 * <p>Keys and values of earlier tokens are kept, so that a step costs one token's work. Adapters
 * that are attached to the model and in effect on the calling thread are used. A generator may be
 * used by several threads at once.
 */
public final class Generator {

    /** Creates a generator. */
    public Generator() {}

    /**
     * Generates tokens until one of them ends the text or there are enough.
     *
     * @param model the model
     * @param prompt the ids to continue, at least one
     * @param config how to choose; its stop strings need a {@link TextGenerator}
     * @param onToken is told each new token as soon as it is known
     * @return the new tokens, the ending one included
     * @throws InvalidTokensException if the prompt is empty, an id of it is outside the vocabulary,
     *     or prompt and new tokens together exceed the model's context
     */
    public long[] generate(
            CausalLm model, long[] prompt, GenerationConfig config, LongConsumer onToken) {
        return generate(
                        model,
                        List.of(prompt),
                        config,
                        (row, id) -> {
                            onToken.accept(id);
                            return true;
                        })
                .get(0);
    }

    /**
     * Continues several texts together. What a row becomes is what it would become alone, up to
     * rounding: shorter prompts are padded on the left, and no token looks at padding.
     *
     * @param model the model
     * @param prompts the ids to continue, at least one in each
     * @param config how to choose; row i draws with seed + i
     * @param listener is told each new token as soon as it is known
     * @return the new tokens of each row, the ending one included
     * @throws InvalidTokensException as {@link #generate(CausalLm, long[], GenerationConfig,
     *     LongConsumer)}
     */
    public List<long[]> generate(
            CausalLm model,
            List<long[]> prompts,
            GenerationConfig config,
            GenerationListener listener) {
        return generate(model, prompts, List.of(), config, listener);
    }

    /**
     * Continues several texts together, each with an adapter of its own, as PEFT's {@code
     * adapter_names} does: base weights are read once for all of them. What a row becomes is what
     * it would become alone with its adapter, up to rounding. The adapters outlive their deletion
     * until the texts have ended.
     *
     * @param model the model
     * @param prompts the ids to continue, at least one in each
     * @param adapterNames an adapter for each prompt, or {@link RowAdapters#BASE} for none; an
     *     empty list for those in effect on the calling thread
     * @param config how to choose; row i draws with seed + i
     * @param listener is told each new token as soon as it is known
     * @return the new tokens of each row, the ending one included
     * @throws InvalidTokensException as {@link #generate(CausalLm, long[], GenerationConfig,
     *     LongConsumer)}
     * @throws IllegalArgumentException if there is no adapter of a name, or another number of names
     *     than of prompts
     * @throws IllegalStateException if an adapter is merged
     */
    public List<long[]> generate(
            CausalLm model,
            List<long[]> prompts,
            List<String> adapterNames,
            GenerationConfig config,
            GenerationListener listener) {
        RowParts.requireOneEach(adapterNames, prompts.size());
        int longest = 0;
        for (long[] prompt : prompts) {
            requireRoom(model, prompt, config);
            longest = Math.max(longest, prompt.length);
        }
        List<GenerationRow> rows = new ArrayList<>();
        List<GenerationRow> together = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            String adapter = adapterNames.isEmpty() ? null : adapterNames.get(i);
            GenerationRow row = new GenerationRow(i, prompts.get(i), adapter, config, listener);
            rows.add(row);
            if (rotatesAlike(model, row, longest, config)) {
                together.add(row);
            } else {
                new GenerationBatch(model, List.of(row)).run();
            }
        }
        if (!together.isEmpty()) {
            new GenerationBatch(model, together).run();
        }
        return rows.stream().map(GenerationRow::generated).toList();
    }

    /** Whether a row's own length and the padded one have the same frequencies to the end. */
    private static boolean rotatesAlike(
            CausalLm model, GenerationRow row, int longest, GenerationConfig config) {
        RotaryScaling scaling = model.block().architecture().rotary().scaling();
        return scaling.regime(row.length()) == scaling.regime(longest + config.maxNewTokens());
    }

    /** Returns the logits (V) that follow the last token. */
    static float[] lastLogits(CausalLm model, NDManager owner, long[] ids, KeyValueCache cache) {
        try (NDManager step = owner.newSubManager()) {
            Weights weights = model.weights(step, false);
            NDArray input = step.create(ids, new Shape(1, ids.length));
            return model.block().lastLogits(step, weights, input, null, cache).toFloatArray();
        }
    }

    private static void requireRoom(CausalLm model, long[] prompt, GenerationConfig config) {
        if (prompt.length == 0) {
            throw new InvalidTokensException(
                    "expected a prompt of at least one token (a BOS, if nothing else), found none");
        }
        TokenChecks.requireInVocabulary(prompt, prompt.length, model.config().vocabularySize());
        int context = model.config().contextLength();
        if ((long) prompt.length + config.maxNewTokens() > context) {
            throw new InvalidTokensException(
                    "expected at most "
                            + context
                            + " tokens, the model's context, found a prompt of "
                            + prompt.length
                            + " and "
                            + config.maxNewTokens()
                            + " new ones");
        }
    }
}
