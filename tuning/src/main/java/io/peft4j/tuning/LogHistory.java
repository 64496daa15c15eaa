package io.peft4j.tuning;

import java.util.LinkedHashMap;
import java.util.Map;

/** A training's numbers as charts show them, under their names in transformers' log history. */
public final class LogHistory {

    private LogHistory() {}

    /**
     * Names a step's numbers.
     *
     * @param step the step
     * @return {@code loss}, {@code grad_norm} and {@code learning_rate}; and {@code
     *     tokens_per_second}; and the task's own metrics
     */
    public static Map<String, Double> of(TrainingStep step) {
        Map<String, Double> numbers = new LinkedHashMap<>();
        numbers.put("loss", step.loss());
        numbers.put("grad_norm", step.gradientNorm());
        numbers.put("learning_rate", step.learningRate());
        numbers.put("tokens_per_second", step.tokensPerSecond());
        numbers.putAll(step.metrics());
        return numbers;
    }

    /**
     * Names an evaluation's numbers.
     *
     * @param result the evaluation
     * @return {@code eval_loss}; and {@code eval_perplexity}, or the task's own metrics behind
     *     {@code eval_}
     */
    public static Map<String, Double> of(EvaluationResult result) {
        Map<String, Double> numbers = new LinkedHashMap<>();
        numbers.put("eval_loss", result.loss());
        if (result.metrics().isEmpty()) {
            numbers.put("eval_perplexity", result.perplexity());
        }
        result.metrics().forEach((name, value) -> numbers.put("eval_" + name, value));
        return numbers;
    }
}
