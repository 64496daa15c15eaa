package io.peft4j.tuning.online;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.dora.DoraConfig;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.TokenObjective;
import io.peft4j.models.TokenScores;
import io.peft4j.torch.NoDropout;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Answers, their rewards and their log-probabilities. */
class RolloutSamplerTest {

    private static final int EACH = 3;

    private OnlineModel model;
    private LanguageModel language;
    private List<Prompt> prompts = List.of();

    @BeforeEach
    void open() throws IOException {
        model = OnlineModel.trained("dora");
        language = LanguageModel.of(model.model());
        prompts = model.prompts();
    }

    @AfterEach
    void close() {
        model.close();
    }

    private static GenerationConfig.Builder sampling() {
        return GenerationConfig.builder().optMaxNewTokens(6).optTemperature(0.8);
    }

    private RolloutSampler.Builder rollouts(GenerationConfig generation) {
        return RolloutSampler.builder()
                .setSampler(new CompletionSampler(model.model(), model.tokenizer(), generation, 4))
                .setRewards(OnlineModel.REWARDS)
                .optNumGenerations(EACH)
                .optBatchSize(4)
                .optScorePolicy(true)
                .optReference(Role.base(model.adapted()));
    }

    private Rollout sample(RolloutSampler.Builder builder, int step) {
        return builder.build().sample(language, step, prompts, () -> {});
    }

    private static List<long[]> ids(Rollout rollout) {
        return rollout.completions().stream().map(Completion::ids).toList();
    }

    @Test
    void aStepsRolloutComesAgainAndAnotherStepsIsAnother() {
        Rollout first = sample(rollouts(sampling().build()), 3);
        Rollout again = sample(rollouts(sampling().build()), 3);
        assertThat(ids(again)).usingRecursiveComparison().isEqualTo(ids(first));
        assertThat(again.rewards()).isEqualTo(first.rewards());
        assertThat(again.metrics()).isEqualTo(first.metrics());
        for (int i = 0; i < first.completions().size(); i++) {
            assertThat(again.policy().orElseThrow().of(i))
                    .isEqualTo(first.policy().orElseThrow().of(i));
        }
        assertThat(ids(sample(rollouts(sampling().build()), 4)))
                .usingRecursiveComparison()
                .isNotEqualTo(ids(first));
        assertThat(ids(sample(rollouts(sampling().build()).optSeed(1), 3)))
                .usingRecursiveComparison()
                .isNotEqualTo(ids(first));
    }

    @Test
    void policyAndReferenceTellLogProbabilitiesAtTheTemperatureOfTheSampling() {
        Rollout rollout = sample(rollouts(sampling().build()), 0);
        assertThat(rollout.completions()).hasSize(EACH * prompts.size());
        CompletionScores policy = rollout.policy().orElseThrow();
        CompletionScores reference = rollout.reference().orElseThrow();
        for (int i = 0; i < rollout.completions().size(); i++) {
            Completion one = rollout.completions().get(i);
            assertThat(one.prompt()).isSameAs(prompts.get(i / EACH));
            double[] expected = logProbabilities(one, 0.8f);
            for (int j = 0; j < expected.length; j++) {
                assertThat((double) policy.of(i)[j]).isCloseTo(expected[j], within(1e-5));
            }
            double[] ofBase;
            try (AdapterScope off = model.adapted().disableAdapter()) {
                ofBase = logProbabilities(one, 0.8f);
            }
            for (int j = 0; j < expected.length; j++) {
                assertThat((double) reference.of(i)[j]).isCloseTo(ofBase[j], within(1e-5));
            }
            assertThat(policy.sum(i)).isNotCloseTo(reference.sum(i), within(1e-3));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void beforeThePolicyMovesTrainingSeesTheSameLogProbabilities(boolean kernels)
            throws IOException {
        DoraConfig dropping =
                DoraConfig.builder()
                        .setRank(4)
                        .optDropout(0.5)
                        .setTargetModules("q_proj", "down_proj")
                        .build();
        try (OnlineModel fresh = OnlineModel.fresh(dropping);
                NoDropout off = NoDropout.begin()) {
            fresh.model().useLayerKernels(kernels);
            CompletionSampler sampler =
                    new CompletionSampler(fresh.model(), fresh.tokenizer(), sampling().build(), 4);
            RolloutSampler rollouts =
                    RolloutSampler.builder()
                            .setSampler(sampler)
                            .setRewards(OnlineModel.REWARDS)
                            .optNumGenerations(EACH)
                            .optBatchSize(5)
                            .optScorePolicy(true)
                            .build();
            LanguageModel trained = LanguageModel.of(fresh.model());
            Rollout rollout = rollouts.sample(trained, 0, prompts, () -> {});
            for (int i = 0; i < rollout.completions().size(); i++) {
                assertThat(seenInTraining(trained, rollout.completions().get(i)))
                        .usingComparatorWithPrecision(1e-5f)
                        .containsExactly(rollout.policy().orElseThrow().of(i));
            }
        }
    }

    private static float[] seenInTraining(LanguageModel trained, Completion one) {
        float[] seen = new float[one.ids().length];
        try (NDManager scope = trained.manager().newSubManager();
                Batch batch = Batch.of(scope, List.of(one.example()))) {
            TokenScores told =
                    trained.backward(
                            batch.ids(),
                            batch.mask(),
                            batch.labels(),
                            new TokenObjective() {
                                @Override
                                public float[] slopes(TokenScores scores) {
                                    return new float[scores.count()];
                                }

                                @Override
                                public double temperature() {
                                    return 0.8;
                                }
                            },
                            1);
            for (int i = 0; i < seen.length; i++) {
                seen[i] = told.logProbability(i);
            }
        }
        return seen;
    }

    /** By the logits, token by token. */
    private double[] logProbabilities(Completion one, float temperature) {
        long[] all = one.example().ids();
        int asked = one.prompt().ids().length;
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = scope.create(all, new Shape(1, all.length));
            NDArray logits = model.model().logits(scope, ids, null).div(temperature);
            float[] told = logits.logSoftmax(2).toFloatArray();
            int vocabulary = told.length / all.length;
            double[] values = new double[one.ids().length];
            for (int i = 0; i < values.length; i++) {
                values[i] = told[(asked + i - 1) * vocabulary + (int) one.ids()[i]];
            }
            return values;
        }
    }

    @Test
    void rewardsAreWeighedAndWhatIsLoggedIsTrls() {
        List<Reward> rewards =
                List.of(
                        new Reward("letters", OnlineModel.LETTERS, 0.5),
                        new Reward("place", all -> places(all.size()), 2));
        Rollout rollout = sample(rollouts(sampling().build()).setRewards(rewards), 0);
        double[] letters = OnlineModel.LETTERS.rewards(rollout.completions());
        double[] sums = new double[letters.length];
        for (int i = 0; i < sums.length; i++) {
            sums[i] = 0.5 * letters[i] + 2 * i;
        }
        assertThat(rollout.rewards()).isEqualTo(sums);
        Map<String, Double> metrics = rollout.metrics();
        double last = sums.length - 1;
        assertThat(metrics.get("rewards/place/mean")).isCloseTo(last / 2, within(1e-12));
        // of 0 … n − 1 with Bessel's correction
        assertThat(metrics.get("rewards/place/std"))
                .isCloseTo(Math.sqrt((last + 1) * (last + 2) / 12), within(1e-12));
        assertThat(metrics.get("reward")).isCloseTo(Moments.of(sums).mean(), within(1e-12));
        assertThat(metrics)
                .containsKeys(
                        "reward_std",
                        "completions/mean_length",
                        "completions/min_terminated_length");
        long cut = rollout.completions().stream().filter(one -> !one.ended()).count();
        assertThat(metrics.get("completions/clipped_ratio"))
                .isCloseTo((double) cut / sums.length, within(1e-12));
        assertThat(metrics.get("completions/max_length")).isEqualTo(6);
    }

    @Test
    void anEvaluationsLossIsTheMeanRewardWithTheSignTurned() {
        Rollout rollout = sample(rollouts(sampling().build()), 0);
        EvaluationResult result = rollout.evaluation();
        assertThat(result.rows()).hasSize(prompts.size());
        assertThat(result.loss()).isCloseTo(-rollout.metrics().get("reward"), within(1e-12));
        double[] rewards = rollout.rewards();
        assertThat(result.rows().get(1).loss())
                .isCloseTo(-(rewards[3] + rewards[4] + rewards[5]) / 3, within(1e-12));
    }

    private static double[] places(int count) {
        double[] places = new double[count];
        for (int i = 0; i < count; i++) {
            places[i] = i;
        }
        return places;
    }

    @Test
    void anAnswerThatWasCutLosesThePenalty() {
        GenerationConfig generation = sampling().optMaxNewTokens(40).optTemperature(1.5).build();
        double[] with = sample(rollouts(generation).optMissingEosPenalty(0.25), 0).rewards();
        Rollout without = sample(rollouts(generation), 0);
        List<Boolean> ended = new ArrayList<>();
        for (int i = 0; i < with.length; i++) {
            ended.add(without.completions().get(i).ended());
            assertThat(without.rewards()[i] - with[i])
                    .isCloseTo(ended.get(i) ? 0 : 0.25, within(1e-12));
        }
        assertThat(ended).contains(true, false);
    }

    @Test
    void neitherIsAskedUnlessItIsNeeded() {
        Rollout rollout =
                sample(
                        RolloutSampler.builder()
                                .setSampler(
                                        new CompletionSampler(
                                                model.model(),
                                                model.tokenizer(),
                                                sampling().build(),
                                                4))
                                .setRewards(OnlineModel.REWARDS),
                        0);
        assertThat(rollout.policy()).isEmpty();
        assertThat(rollout.reference()).isEmpty();
        assertThat(rollout.each()).isEqualTo(1);
    }

    @Test
    void whatEndsTheBatchesEndsTheRolloutAndNothingIsLeft() {
        sample(rollouts(sampling().build()), 0);
        int before = ((BaseNDManager) model.model().manager()).getManagedArrays().size();
        for (int last : new int[] {1, 3, 10, 40}) {
            int[] calls = new int[1];
            assertThatThrownBy(
                            () ->
                                    rollouts(sampling().build())
                                            .build()
                                            .sample(
                                                    language,
                                                    0,
                                                    prompts,
                                                    () -> {
                                                        if (++calls[0] == last) {
                                                            throw new IllegalStateException("end");
                                                        }
                                                    }))
                    .hasMessage("end");
            assertThat(model.adapted().active()).containsExactly(AdaptedModel.DEFAULT);
        }
        sample(rollouts(sampling().build()), 0);
        assertThat(((BaseNDManager) model.model().manager()).getManagedArrays()).hasSize(before);
    }

    @Test
    void rewardsThatAreNoneAreRefused() {
        RolloutSampler.Builder notANumber =
                rollouts(sampling().build())
                        .setRewards(
                                List.of(new Reward("odd", RewardFunction.each(one -> Double.NaN))));
        assertThatThrownBy(() -> sample(notANumber, 0))
                .isInstanceOf(RewardException.class)
                .hasMessageContaining("expected finite rewards from \"odd\"");
        Reward one = OnlineModel.REWARDS.get(0);
        assertThatThrownBy(() -> rollouts(sampling().build()).setRewards(List.of(one, one)).build())
                .hasMessageContaining("different names, found [letters, letters]");
        assertThatThrownBy(() -> rollouts(sampling().build()).setRewards(List.of()).build())
                .hasMessageContaining("expected one reward");
    }

    @Test
    void aRewardThatFailsIsNamed() {
        RuntimeException own = new IllegalStateException("no connection");
        assertThatThrownBy(() -> judgedBy(answers -> throwing(own)).of(List.of()))
                .isInstanceOf(RewardException.class)
                .hasMessage(
                        "the reward \"mine\" failed: java.lang.IllegalStateException: no"
                                + " connection")
                .hasCause(own);
        assertThatThrownBy(() -> judgedBy(answers -> null).of(List.of()))
                .isInstanceOf(RewardException.class)
                .hasMessage("expected a reward for each of 0 answers from \"mine\", found null");
        EngineException memory = new EngineException("out of memory");
        assertThatThrownBy(() -> judgedBy(answers -> throwing(memory)).of(List.of()))
                .isSameAs(memory);
    }

    private static double[] throwing(RuntimeException e) {
        throw e;
    }

    private static Reward judgedBy(RewardFunction function) {
        return new Reward("mine", function);
    }
}
