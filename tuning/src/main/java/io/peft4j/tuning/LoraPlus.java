package io.peft4j.tuning;

import ai.djl.nn.Parameter;
import ai.djl.util.Preconditions;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * LoRA+ (Hayou, Ghosh and Yu, arXiv:2402.12354): B learns at a higher rate than A, in the groups of
 * PEFT's {@code create_loraplus_optimizer}.
 *
 * <table>
 * <caption>A parameter is in the first group that its key or shape fits</caption>
 * <tr><th>group</th><th>parameters</th><th>learning rate</th><th>weight decay</th></tr>
 * <tr><td>embedding</td><td>{@code lora_embedding_A}, {@code lora_embedding_B}</td>
 *     <td>{@code embeddingLearningRate}</td><td>as set</td></tr>
 * <tr><td>groupB_no_decay</td><td>those of groupB with {@code bias} in their key</td>
 *     <td>lr · ratio</td><td>none</td></tr>
 * <tr><td>groupB</td><td>{@code lora_B}, and all of one dimension, such as DoRA's magnitude</td>
 *     <td>lr · ratio</td><td>as set</td></tr>
 * <tr><td>groupA</td><td>all others: {@code lora_A}, whole modules that are trained along</td>
 *     <td>lr</td><td>as set</td></tr>
 * </table>
 *
 * <p>A schedule moves the rates of all groups alike. PEFT also spares the weights of torch's {@code
 * LayerNorm} the decay where such a module is trained along; a key does not tell that class, so
 * here they decay: replace their entry in {@link #groups} if that matters.
 *
 * @param ratio what B's rate is to A's; above 1 as a rule, and the learning rate then somewhat
 *     smaller than without
 * @param embeddingLearningRate the rate of low-rank factors of an embedding
 */
public record LoraPlus(double ratio, double embeddingLearningRate) {

    /** PEFT's learning rate for the factors of an embedding. */
    public static final double EMBEDDING_LEARNING_RATE = 1e-6;

    /**
     * Makes the settings.
     *
     * @throws IllegalArgumentException if the ratio is not above 0, or the rate is negative
     */
    public LoraPlus {
        Preconditions.checkArgument(
                ratio > 0 && Double.isFinite(ratio),
                "expected a LoRA+ ratio above 0, found " + ratio);
        Preconditions.checkArgument(
                embeddingLearningRate >= 0 && Double.isFinite(embeddingLearningRate),
                "expected a LoRA+ learning rate for embeddings of 0 or more, found "
                        + embeddingLearningRate);
    }

    /**
     * Makes the settings with {@link #EMBEDDING_LEARNING_RATE}.
     *
     * @param ratio what B's rate is to A's
     */
    public LoraPlus(double ratio) {
        this(ratio, EMBEDDING_LEARNING_RATE);
    }

    /**
     * Sorts an adapter's parameters.
     *
     * @param parameters the parameters by PEFT's key, as an adapted model gives them
     * @param learningRate A's rate before any schedule
     * @return the parameters' groups, by key
     * @throws IllegalArgumentException if no parameter is a factor of LoRA, or the rate is 0 or
     *     less
     */
    public Map<String, ParameterGroup> groups(
            Map<String, Parameter> parameters, double learningRate) {
        Preconditions.checkArgument(
                learningRate > 0,
                "LoRA+ needs a learning rate above 0, because the other rates are multiples of it,"
                        + " found "
                        + learningRate);
        Preconditions.checkArgument(
                parameters.keySet().stream().anyMatch(LoraPlus::isFactor),
                "LoRA+ is about lora_A and lora_B, but none of the "
                        + parameters.size()
                        + " parameters is one");
        ParameterGroup a = new ParameterGroup("groupA", 1, true);
        ParameterGroup embedding =
                new ParameterGroup("embedding", embeddingLearningRate / learningRate, true);
        ParameterGroup b = new ParameterGroup("groupB", ratio, true);
        ParameterGroup bias = new ParameterGroup("groupB_no_decay", ratio, false);
        Map<String, ParameterGroup> groups = new LinkedHashMap<>();
        parameters.forEach(
                (key, parameter) -> {
                    if (isEmbedding(key)) {
                        groups.put(key, embedding);
                    } else if (key.contains("lora_B") || parameter.getShape().dimension() == 1) {
                        groups.put(key, key.contains("bias") ? bias : b);
                    } else {
                        groups.put(key, a);
                    }
                });
        return groups;
    }

    private static boolean isFactor(String key) {
        return key.contains("lora_A") || key.contains("lora_B") || isEmbedding(key);
    }

    private static boolean isEmbedding(String key) {
        return key.endsWith(".lora_embedding_A") || key.endsWith(".lora_embedding_B");
    }
}
