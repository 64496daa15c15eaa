package io.peft4j.tuning.online.group;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.TrainingTask;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionScores;
import io.peft4j.tuning.online.GivenRollouts;
import io.peft4j.tuning.online.OnlineModel;
import io.peft4j.tuning.online.Rollout;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Advantages, losses, slopes, gradients and numbers of TRL's GRPOTrainer and RLOOTrainer. */
class GroupGoldenTest {

    private static final double CLOSE = 1e-5;

    static Stream<Arguments> cases() throws IOException {
        JsonObject all = GroupGoldens.json("cases.json").getAsJsonObject();
        List<JsonElement> cases = all.getAsJsonArray("cases").asList();
        return IntStream.range(0, cases.size())
                .mapToObj(i -> Arguments.of(i, cases.get(i).getAsJsonObject(), all));
    }

    @ParameterizedTest(name = "case {0}")
    @MethodSource("cases")
    void advantagesLossSlopesAndNumbersAreTrls(int number, JsonObject c, JsonObject all) {
        GroupConfig config = GroupGoldens.config(c);
        JsonObject given = all.getAsJsonObject("logps");
        float[][] old = GroupGoldens.floats(given.get("old"));
        float[][] now = GroupGoldens.floats(given.get("now"));
        float[][] reference = GroupGoldens.floats(given.get("reference"));
        float[][] entropy = GroupGoldens.floats(given.get("entropy"));
        Rollout rollout =
                GroupGoldens.rollout(
                        c,
                        GroupGoldens.completions(all.getAsJsonArray("answers")),
                        GivenRollouts.scores(old),
                        GivenRollouts.scores(reference));
        Advantages advantages = config.advantages(rollout);
        double[] expected = GroupGoldens.doubles(c.get("advantages"));
        for (int i = 0; i < expected.length; i++) {
            assertThat(advantages.of(i))
                    .as("advantage %d", i)
                    .isCloseTo(expected[i], near(expected[i]));
        }
        int answers = rollout.completions().size();
        long learned =
                rollout.completions().stream()
                        .filter(config::isLearned)
                        .mapToLong(one -> one.ids().length)
                        .sum();
        PolicyMetrics metrics = new PolicyMetrics();
        double loss = 0;
        for (int i = 0; i < answers; i++) {
            int count = config.isLearned(rollout.completions().get(i)) ? now[i].length : 0;
            float[] said = count == 0 ? new float[0] : now[i];
            JudgedAnswer answer =
                    new JudgedAnswer(
                            advantages.of(i), config.weight(count, answers, learned), reference[i]);
            float[] first = answer.before(count == 0 ? new float[0] : old[i]);
            assertThat(first).hasSize(count);
            if (config.numIterations() == 1) { // then the policy is compared with itself
                answer =
                        new JudgedAnswer(
                                advantages.of(i),
                                config.weight(count, answers, learned),
                                reference[i]);
            }
            float[] slopes = new float[count];
            loss += config.loss().of(answer, said, slopes, metrics);
            double[] golden = GroupGoldens.doubles(c.getAsJsonArray("slopes").get(i));
            for (int j = 0; j < golden.length; j++) {
                assertThat(count == 0 ? 0.0 : slopes[j])
                        .as("slope %d of answer %d", j, i)
                        .isCloseTo(golden[j], near(golden[j]));
                if (count > 0) {
                    metrics.token(entropy[i][j]);
                }
            }
        }
        assertThat(loss).isCloseTo(c.get("loss").getAsDouble(), within(CLOSE));
        Map<String, Double> seen = new LinkedHashMap<>(rollout.metrics());
        seen.put("frac_reward_zero_std", advantages.alike());
        seen.putAll(config.metrics(rollout));
        seen.putAll(metrics.values());
        seen.put("num_tokens", (double) rollout.tokens());
        expect(seen, c.getAsJsonObject("metrics"));
    }

    private static Offset<Double> near(double expected) {
        return within(CLOSE * Math.max(1, Math.abs(expected)));
    }

    private static void expect(Map<String, Double> seen, JsonObject golden) {
        assertThat(seen.keySet()).containsExactlyInAnyOrderElementsOf(golden.keySet());
        golden.asMap()
                .forEach(
                        (name, value) ->
                                assertThat(seen.get(name))
                                        .as(name)
                                        .isCloseTo(value.getAsDouble(), near(value.getAsDouble())));
    }

    static Stream<Arguments> gradients() throws IOException {
        return GroupGoldens.json("gradients.json").getAsJsonArray().asList().stream()
                .map(JsonElement::getAsJsonObject)
                .flatMap(run -> Stream.of(1, 2).flatMap(batch -> bothWays(run, batch)));
    }

    private static Stream<Arguments> bothWays(JsonObject run, int batch) {
        String name = run.get("name").getAsString();
        return Stream.of(true, false).map(kernels -> Arguments.of(name, batch, kernels, run));
    }

    @ParameterizedTest(name = "{0}, {1} prompts at a time, by kernels {2}")
    @MethodSource("gradients")
    void gradientsAreTrlsWhateverTheBatchSize(
            String name, int batchSize, boolean kernels, JsonObject run) throws IOException {
        GroupConfig config = GroupGoldens.config(run);
        try (OnlineModel model = OnlineModel.trained(run.get("start").getAsString());
                SafetensorsFile golden =
                        SafetensorsFile.open(TestData.path("group/" + name + ".safetensors"))) {
            model.model().useLayerKernels(kernels);
            LanguageModel language = LanguageModel.of(model.model());
            model.adapted().adapter().parameters().values().forEach(p -> p.freeze(false));
            List<Completion> completions = GroupGoldens.completions(run.getAsJsonArray("answers"));
            CompletionScores reference;
            try (AdapterScope off = Role.base(model.adapted()).enter()) {
                reference = scores(language, completions, config);
            }
            Rollout rollout =
                    GroupGoldens.rollout(
                            run, completions, scores(language, completions, config), reference);
            GroupStep step = new GroupStep(language, config, rollout, rollout.tokens());
            TrainingTask.Update update = step.updates().get(0);
            for (int from = 0; from < update.rows(); from += batchSize) {
                update.backward(from, from + batchSize);
            }
            assertThat(model.model().wasByLayerKernels()).isEqualTo(kernels);
            double loss = run.get("loss").getAsDouble();
            assertThat(step.loss()).isCloseTo(loss, within(1e-5 * Math.max(1, Math.abs(loss))));
            expect(step.metrics(), run.getAsJsonObject("metrics"));
            int[] compared = new int[1];
            model.adapted()
                    .adapter()
                    .parameters()
                    .forEach(
                            (parameter, value) -> {
                                String key = keyOf(golden, parameter);
                                compared[0]++;
                                compare(
                                        key,
                                        value.getArray().getGradient().toFloatArray(),
                                        read(golden, key));
                            });
            assertThat(compared[0]).isEqualTo(golden.names().size());
        }
    }

    private static CompletionScores scores(
            LanguageModel language, List<Completion> completions, GroupConfig config) {
        return CompletionScores.of(
                language, completions, config.generation().temperature(), 4, () -> {});
    }

    private static String keyOf(SafetensorsFile golden, String parameter) {
        return golden.names().stream()
                .filter(name -> name.contains(parameter))
                .findFirst()
                .orElseThrow(() -> new AssertionError(parameter + " of " + golden.names()));
    }

    private static float[] read(SafetensorsFile file, String key) {
        try {
            return file.toFloats(key);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void compare(String name, float[] actual, float[] expected) {
        double largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat((double) actual[i])
                    .as("%s[%d]", name, i)
                    .isCloseTo(expected[i], within(1e-6 + 1e-4 * largest));
        }
    }
}
