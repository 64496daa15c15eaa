package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.lora.LoraConfig;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rewards of the tiny LLaMA, against LlamaForSequenceClassification and PEFT. */
class ScoreHeadGoldenTest {

    private static CausalLm model() {
        CausalLm model = Golden.load("llama3/model");
        model.addScoreHead(1);
        return model;
    }

    /** The last token of each row. */
    private static NDArray last(NDManager owner, NDArray mask) {
        int columns = (int) mask.getShape().get(1);
        long[] tokens = mask.toLongArray();
        long[] last = new long[tokens.length];
        for (int i = 0; i < tokens.length; i++) {
            boolean end = i % columns == columns - 1 || tokens[i + 1] == 0;
            last[i] = tokens[i] == 1 && end ? 1 : 0;
        }
        return owner.create(last, mask.getShape());
    }

    private static float[] floats(HeadScores scores) {
        float[] values = new float[scores.count()];
        for (int i = 0; i < values.length; i++) {
            assertThat(scores.rowOf(i)).isEqualTo(i);
            values[i] = scores.score(i);
        }
        return values;
    }

    /** The slopes of the mean of −log σ(r₀ − r₂) and −log σ(r₁ − r₃). */
    private static float[] bradleyTerry(HeadScores scores) {
        float[] slopes = new float[4];
        for (int i = 0; i < 2; i++) {
            double difference = (double) scores.score(i) - scores.score(i + 2);
            slopes[i] = (float) (-0.5 / (1 + Math.exp(difference)));
            slopes[i + 2] = -slopes[i];
        }
        return slopes;
    }

    @ParameterizedTest
    @CsvSource({"score_lora,true", "score_lora,false", "score_dora,true", "score_dora,false"})
    void rewardsAndGradientsAreThoseOfPeft(String name, boolean byKernels) throws IOException {
        try (CausalLm model = model();
                Golden golden = Golden.open("llama3/" + name + "/golden.safetensors");
                AdaptedModel adapted =
                        Adapters.load(model.block(), TestData.path("golden/llama3/" + name))) {
            model.useLayerKernels(byKernels);
            NDArray ids = golden.array("input_ids");
            NDArray mask = golden.array("attention_mask");
            NDArray last = last(golden.manager(), mask);
            float[] rewards = golden.floats("rewards");
            Golden.assertClose("rewards", floats(model.headScores(ids, last)), rewards, 2e-5);
            HeadScores told =
                    model.backwardFromHead(ids, mask, last, ScoreHeadGoldenTest::bradleyTerry, 1);
            assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
            Golden.assertClose("rewards", floats(told), rewards, 2e-5);
            assertThat(adapted.adapter().parameters()).containsKey("base_model.model.score.weight");
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, parameter) ->
                                    Golden.assertGradientClose(
                                            key,
                                            parameter.getArray().getGradient().toFloatArray(),
                                            golden.floats("grad." + key)));
        }
    }

    /**
     * PEFT has read the committed adapter, and computed with it; what is written now is the same,
     * byte for byte. With {@code -Dpeft4j.interchange=DIR} it is left there for
     * make_score_cases.py.
     */
    @Test
    void peftComputesTheSameRewardsOfAnAdapterWrittenHere(@TempDir Path temporary)
            throws IOException {
        String left = System.getProperty("peft4j.interchange");
        Path directory = left == null ? temporary : Path.of(left);
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(2)
                        .optAlpha(4)
                        .optTaskType("SEQ_CLS")
                        .setTargetModules(
                                TargetModules.of("v_proj", "gate_proj")
                                        .withModulesToSave(List.of("score")))
                        .build();
        try (CausalLm model = model();
                AdaptedModel adapted = Adapters.attach(model.block(), config, 5)) {
            TrainingGradientTest.randomise(model, adapted);
            adapted.save(directory);
            try (Golden rows = Golden.open("llama3/score_lora/golden.safetensors");
                    Golden golden = Golden.open("llama3/score_java/golden.safetensors")) {
                for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
                    assertThat(directory.resolve(file))
                            .hasBinaryContent(
                                    Files.readAllBytes(
                                            TestData.path("golden/llama3/score_java/" + file)));
                }
                NDArray last = last(rows.manager(), rows.array("attention_mask"));
                Golden.assertClose(
                        "rewards",
                        floats(model.headScores(rows.array("input_ids"), last)),
                        golden.floats("rewards"),
                        2e-5);
            }
        }
    }
}
