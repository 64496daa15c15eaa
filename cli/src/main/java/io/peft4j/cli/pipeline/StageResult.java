package io.peft4j.cli.pipeline;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.OptionalDouble;

/**
 * What came of a stage.
 *
 * @param stage what was done
 * @param seconds how long it took
 * @param printed what its command printed as JSON
 * @param before the evaluation of what it began with; an empty object if there is none
 * @param after the evaluation of what it made; an empty object if there is none
 * @param curves what it logged
 */
record StageResult(
        PlannedStage stage,
        double seconds,
        JsonObject printed,
        JsonObject before,
        JsonObject after,
        StageCurves curves) {

    private boolean isEval() {
        return stage.command().equals("eval");
    }

    /** Of iterative DPO: those of all iterations. */
    OptionalDouble steps() {
        return printed.get("iterations") instanceof JsonArray iterations
                ? OptionalDouble.of(
                        iterations.asList().stream()
                                .mapToDouble(one -> one.getAsJsonObject().get("steps").getAsInt())
                                .sum())
                : number(printed, "steps");
    }

    /** The last step's. */
    OptionalDouble trainingLoss() {
        if (isEval()) {
            return OptionalDouble.empty(); // what it prints is held out
        }
        OptionalDouble last = number(printed, "loss");
        return last.isPresent() ? last : curves.lastLoss();
    }

    OptionalDouble heldOutLossBefore() {
        return number(before, "loss");
    }

    /** By the pipeline's evaluation or, without one, by the stage's own data. */
    OptionalDouble heldOutLossAfter() {
        OptionalDouble evaluated = number(isEval() ? printed : after, "loss");
        return evaluated.isPresent() || before.has("loss") || printed.has("eval_reward")
                ? evaluated
                : number(printed, "eval_loss");
    }

    OptionalDouble rewardBefore() {
        return number(before, "reward");
    }

    /** As the loss. */
    OptionalDouble rewardAfter() {
        OptionalDouble evaluated = number(isEval() ? printed : after, "reward");
        return evaluated.isPresent() || before.has("reward")
                ? evaluated
                : number(printed, "eval_reward");
    }

    private static OptionalDouble number(JsonObject json, String key) {
        JsonElement value = json.get(key);
        return value == null || value.isJsonNull()
                ? OptionalDouble.empty()
                : OptionalDouble.of(value.getAsDouble());
    }
}
