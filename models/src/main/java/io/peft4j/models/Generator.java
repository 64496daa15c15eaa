package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.GradMode;
import java.util.Arrays;
import java.util.function.LongConsumer;

/**
 * Continues a text, token by token.
 *
 * <p>Keys and values of earlier tokens are kept, so that a step costs one token's work. An adapter
 * that is attached to the model and in effect is used.
 */
public final class Generator {

    /** Creates a generator. */
    public Generator() {}

    /**
     * Generates tokens until one of them ends the text or there are enough.
     *
     * @param model the model
     * @param prompt the ids to continue, at least one
     * @param config how to choose
     * @param onToken is told each new token as soon as it is known
     * @return the new tokens, the ending one included
     * @throws InvalidTokensException if the prompt is empty, an id of it is outside the vocabulary,
     *     or prompt and new tokens together exceed the model's context
     */
    public long[] generate(
            CausalLm model, long[] prompt, GenerationConfig config, LongConsumer onToken) {
        requireRoom(model, prompt, config);
        long[] generated = new long[config.maxNewTokens()];
        TokenSampler sampler = new TokenSampler(config);
        RotaryScaling scaling = model.block().architecture().rotary().scaling();
        try (GradMode off = GradMode.disabled();
                NDManager scope = model.manager().newSubManager();
                KeyValueCache cache =
                        new KeyValueCache(
                                scope,
                                model.block().architecture(),
                                1,
                                prompt.length + config.maxNewTokens())) {
            long[] text = Arrays.copyOf(prompt, prompt.length + generated.length);
            long[] next = prompt;
            for (int count = 0; count < generated.length; count++) {
                long token = sampler.choose(lastLogits(model, scope, next, cache));
                generated[count] = token;
                onToken.accept(token);
                if (config.eosIds().contains(token)) {
                    return Arrays.copyOf(generated, count + 1);
                }
                int length = prompt.length + count + 1;
                text[length - 1] = token;
                if (scaling.regime(length) == scaling.regime(cache.length())) {
                    next = new long[] {token};
                } else { // all keys were rotated by frequencies that are now others
                    cache.clear();
                    next = Arrays.copyOf(text, length);
                }
            }
            return generated;
        }
    }

    /** Returns the logits (V) that follow the last token. */
    static float[] lastLogits(CausalLm model, NDManager owner, long[] ids, KeyValueCache cache) {
        try (NDManager step = owner.newSubManager()) {
            Weights weights = model.weights(step, false);
            NDArray input = step.create(ids, new Shape(1, ids.length));
            NDArray hidden = model.block().hidden(step, weights, input, null, cache);
            NDArray last = Kernels.DECODER.call(step, "last_token", hidden);
            return model.block().project(step, weights, last).toFloatArray();
        }
    }

    private static void requireRoom(CausalLm model, long[] prompt, GenerationConfig config) {
        if (prompt.length == 0) {
            throw new InvalidTokensException(
                    "expected a prompt of at least one token (a BOS, if nothing else), found none");
        }
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
