package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two steps of two micro-batches each, with decay, by torch and PEFT. Some experts see tokens in
 * the first step only, others in the second only, some in both and some in none.
 */
class ExpertStepsGoldenTest {

    private static final double TOLERANCE = 1e-5;

    @TempDir private Path output;

    private static Path golden(String name) {
        return TestData.path("golden/experts/" + name);
    }

    private static TrainingConfig config() {
        return TrainingConfig.builder()
                .optBatchSize(1)
                .optGradientAccumulation(2)
                .optMaxSteps(2)
                .optLearningRate(1e-2)
                .optWeightDecay(0.1)
                .optSchedule(Schedule.CONSTANT)
                .optMaxGradNorm(0)
                .optShuffle(false)
                .build();
    }

    private static List<Example> examples(SafetensorsFile steps) throws IOException {
        List<Example> examples = new ArrayList<>();
        for (String name : List.of("1.0", "1.1", "2.0", "2.1")) {
            long[] ids = steps.toLongs("ids." + name);
            examples.add(new Example(ids, ids));
        }
        return examples;
    }

    @Test
    void anExpertWithoutTokensSkipsTheStepWhateverItDidBefore() throws IOException {
        try (CausalLm model = CausalLm.load(golden("model"), Device.cpu());
                AdaptedModel adapted = Adapters.load(model.block(), golden("single_patterns"));
                SafetensorsFile steps = SafetensorsFile.open(golden("steps.safetensors"))) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    examples(steps),
                    List.of(),
                    config(),
                    output,
                    new Recorder());
            assertThat(model.wasByLayerKernels()).isTrue();
            Set<String> onlyAtFirst = new TreeSet<>();
            Set<String> onlyThen = new TreeSet<>();
            Set<String> never = new TreeSet<>();
            for (Map.Entry<String, Parameter> entry : adapted.adapter().parameters().entrySet()) {
                String name = entry.getKey();
                float[] start = steps.toFloats("start." + name);
                float[] first = steps.toFloats("step1." + name);
                float[] second = steps.toFloats("step2." + name);
                boolean atFirst = !Arrays.equals(start, first);
                boolean then = !Arrays.equals(first, second);
                if (!then) {
                    (atFirst ? onlyAtFirst : never).add(name);
                } else if (!atFirst) {
                    onlyThen.add(name);
                }
                float[] found = entry.getValue().getArray().toFloatArray();
                for (int i = 0; i < found.length; i++) {
                    assertThat(found[i])
                            .as("%s[%d]", name, i)
                            .isCloseTo(second[i], within((float) TOLERANCE));
                }
                if (!then && !atFirst) {
                    assertThat(found).as(name).containsExactly(start);
                }
            }
            assertThat(onlyAtFirst).hasSize(36).allMatch(name -> name.contains(".experts."));
            assertThat(onlyThen).hasSize(18).allMatch(name -> name.contains(".experts."));
        }
    }
}
