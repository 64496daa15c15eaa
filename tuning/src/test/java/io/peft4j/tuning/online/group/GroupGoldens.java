package io.peft4j.tuning.online.group;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.models.GenerationConfig;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionScores;
import io.peft4j.tuning.online.GivenRollouts;
import io.peft4j.tuning.online.Moments;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.Rollout;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What {@code make_group_cases.py} wrote. */
final class GroupGoldens {

    private static final long EOS = 2;
    private static final int LIMIT = 6;

    private GroupGoldens() {}

    static JsonElement json(String name) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("group/" + name)));
    }

    /** Returns the settings of a case. */
    static GroupConfig config(JsonObject c) {
        return c.get("algorithm").getAsString().equals("grpo") ? grpo(c) : rloo(c);
    }

    private static GroupConfig grpo(JsonObject c) {
        return common(c, GrpoConfig.builder())
                .optLossType(GrpoLossType.ofTrlName(c.get("loss_type").getAsString()))
                .optScaleRewards(ScaleRewards.ofTrlName(c.get("scale_rewards").getAsString()))
                .optSequenceLevel(
                        c.get("importance_sampling_level").getAsString().equals("sequence"))
                .optUseBiasCorrectionKl(c.get("use_bias_correction_kl").getAsBoolean())
                .build();
    }

    private static GroupConfig rloo(JsonObject c) {
        RlooConfig.Builder builder =
                common(c, RlooConfig.builder())
                        .optNormalizeAdvantages(c.get("normalize_advantages").getAsBoolean());
        if (!c.get("reward_clip_range").isJsonNull()) {
            double[] range = doubles(c.get("reward_clip_range"));
            builder.optRewardClipRange(range[0], range[1]);
        }
        return builder.build();
    }

    private static <B extends GroupConfig.Builder<B>> B common(JsonObject c, B builder) {
        double temperature = c.has("temperature") ? c.get("temperature").getAsDouble() : 1;
        return builder.optNumGenerations(c.get("num_generations").getAsInt())
                .optNumIterations(c.get("num_iterations").getAsInt())
                .optBeta(c.get("beta").getAsDouble())
                .optEpsilon(c.get("epsilon").getAsDouble())
                .optEpsilonHigh(c.get("epsilon_high").getAsDouble())
                .optMaskTruncatedCompletions(c.get("mask_truncated_completions").getAsBoolean())
                .optGeneration(
                        GenerationConfig.builder()
                                .optMaxNewTokens(LIMIT)
                                .optTemperature(temperature)
                                .build());
    }

    /** Returns the answers of a case. */
    static List<Completion> completions(JsonArray answers) {
        List<Completion> all = new ArrayList<>();
        for (JsonElement element : answers) {
            JsonObject one = element.getAsJsonObject();
            long[] ids = longs(one.get("ids"));
            Prompt prompt = new Prompt(longs(one.get("prompt")), "", new JsonObject());
            all.add(new Completion(prompt, ids, "", ids[ids.length - 1] == EOS));
        }
        return all;
    }

    /** Makes the rollout of a case. */
    static Rollout rollout(
            JsonObject c,
            List<Completion> completions,
            @Nullable CompletionScores policy,
            @Nullable CompletionScores reference) {
        double[] sums = new double[completions.size()];
        Map<String, Double> metrics = new LinkedHashMap<>(GivenRollouts.lengths(completions));
        List<JsonElement> rewards = c.getAsJsonArray("rewards").asList();
        for (int i = 0; i < rewards.size(); i++) {
            double[] own = doubles(rewards.get(i));
            double weight =
                    Optional.ofNullable(c.getAsJsonArray("weights"))
                            .map(weights -> doubles(weights))
                            .orElse(new double[] {1})[i];
            metrics.putAll(GivenRollouts.metrics(new Reward("r" + i, all -> own), own));
            for (int j = 0; j < sums.length; j++) {
                sums[j] += weight * own[j];
            }
        }
        metrics.put("reward", Moments.of(sums).mean());
        metrics.put("reward_std", Moments.of(sums).deviation());
        int each = c.get("num_generations").getAsInt();
        return GivenRollouts.of(completions, each, sums, policy, reference, metrics);
    }

    static float[][] floats(JsonElement rows) {
        return rows.getAsJsonArray().asList().stream()
                .map(
                        row -> {
                            double[] values = doubles(row);
                            float[] floats = new float[values.length];
                            for (int i = 0; i < floats.length; i++) {
                                floats[i] = (float) values[i];
                            }
                            return floats;
                        })
                .toArray(float[][]::new);
    }

    static double[] doubles(JsonElement array) {
        return array.getAsJsonArray().asList().stream()
                .mapToDouble(JsonElement::getAsDouble)
                .toArray();
    }

    private static long[] longs(JsonElement array) {
        return array.getAsJsonArray().asList().stream().mapToLong(JsonElement::getAsLong).toArray();
    }
}
