package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.DatasetOptions;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftDataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FirstAdapterTest {

    @TempDir private Path directory;

    @Test
    void whatIsSavedHasLearnedTheRows() throws Exception {
        Path model = TestData.path("embedded/model");
        Path rows = directory.resolve("rows.jsonl");
        Files.writeString(
                rows,
                "{\"prompt\": \"one\", \"completion\": \" two\"}\n"
                        + "{\"prompt\": \"three\", \"completion\": \" four\"}\n");
        Path output = directory.resolve("adapter");
        FirstAdapter.main(new String[] {model.toString(), rows.toString(), output.toString()});
        try (CausalLm base = CausalLm.load(model, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(model)) {
            List<Example> examples =
                    SftDataset.read(rows, tokenizer, DatasetOptions.training(base.config()))
                            .examples();
            double before = Evaluation.evaluate(LanguageModel.of(base), examples, 2).loss();
            try (AdaptedModel saved = Adapters.load(base.block(), output)) {
                assertThat(saved.adapter().config().method()).isEqualTo("dora");
                assertThat(Evaluation.evaluate(LanguageModel.of(base), examples, 2).loss())
                        .isLessThan(before / 2);
            }
        }
    }
}
