package io.peft4j.tuning.online.ppo;

import ai.djl.ndarray.NDArray;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.reward.RewardHead;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The value function of PPO: an adapter on the policy's base, with a score head of its own, which
 * PEFT reads as one of task type {@code SEQ_CLS}.
 */
public final class ValueAdapter {

    /** The name of the adapter. */
    public static final String NAME = "value";

    private static final String MODULES = "modules_to_save";

    private ValueAdapter() {}

    /**
     * Adds a value adapter that knows nothing yet: the policy's settings, and a random head. The
     * model gets a score head, if it has none.
     *
     * @param model the model
     * @param adapted its adapters, of which the active one is the policy
     * @param seed decides the initial values
     * @return the adapter, not in effect
     * @throws IllegalStateException if there is an adapter of its name
     */
    public static Adapter fresh(CausalLm model, AdaptedModel adapted, long seed) {
        model.addScoreHead(seed);
        return adapted.add(NAME, withHead(adapted.adapter().config()), seed);
    }

    /**
     * Adds a value adapter that begins as a copy of a reward model's, as in TRL: what is expected
     * of a whole answer is a good guess of what is expected of a part.
     *
     * @param adapted the adapters
     * @param reward the name of the reward model's adapter, which has a score head
     * @return the adapter, not in effect
     * @throws IllegalArgumentException if there is no such adapter, or it has no head of its own
     * @throws IllegalStateException if there is an adapter named {@code value}
     */
    public static Adapter copyOf(AdaptedModel adapted, String reward) {
        Adapter from = adapted.adapter(reward);
        if (!RewardHead.isOf(from)) {
            throw new IllegalArgumentException(
                    "expected an adapter with a score head (modules_to_save "
                            + RewardHead.MODULES_TO_SAVE
                            + "), found \""
                            + reward
                            + "\" without");
        }
        Adapter value = adapted.add(NAME, from.config());
        try (GradMode off = GradMode.disabled()) {
            Map<String, NDArray> arrays = new LinkedHashMap<>();
            from.parameters().forEach((name, p) -> arrays.put(name, p.getArray()));
            value.parameters()
                    .forEach(
                            (name, p) ->
                                    Tensors.copy(
                                            Objects.requireNonNull(arrays.get(name), name),
                                            p.getArray()));
        }
        return value;
    }

    /** Returns settings that are the policy's, but for a head. */
    private static AdapterConfig withHead(AdapterConfig policy) {
        PeftConfig peft = policy.toPeft();
        Set<String> modules = new LinkedHashSet<>(peft.strings(MODULES));
        modules.addAll(RewardHead.MODULES_TO_SAVE);
        JsonArray named = new JsonArray();
        modules.forEach(named::add);
        JsonObject json = peft.json().deepCopy();
        json.add(MODULES, named);
        json.addProperty("task_type", RewardHead.TASK_TYPE);
        return Adapters.readConfig(new PeftConfig("the value adapter's settings", json));
    }
}
