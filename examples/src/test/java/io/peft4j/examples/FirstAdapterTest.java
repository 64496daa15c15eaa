package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TrainingResult;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FirstAdapterTest {

    private static final Path MODEL = TestData.path("golden/openelm/model");
    private static final List<Example> ROWS = List.of(Example.of(1, 17, 42, 5, 9));

    @TempDir private Path directory;

    @Test
    void theAdapterAndTheMergedModelAreBetterAndAgree() throws Exception {
        TrainingResult result = FirstAdapter.runExample(MODEL, directory.resolve("out"));
        assertThat(result.steps()).isEqualTo(10);
        double adapted;
        double before;
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu())) {
            before = loss(model);
            try (AdaptedModel saved =
                    Adapters.load(model.block(), directory.resolve("out/adapter"))) {
                adapted = loss(model);
                assertThat(saved.adapter().config().method()).isEqualTo("dora");
            }
        }
        assertThat(adapted).isLessThan(before);
        try (CausalLm merged = CausalLm.load(directory.resolve("out/merged"), Device.cpu())) {
            assertThat(loss(merged)).isCloseTo(adapted, Offset.offset(2e-5));
        }
    }

    private static double loss(CausalLm model) {
        return Evaluation.evaluate(LanguageModel.of(model), ROWS, 1).loss();
    }
}
