package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TextClassifierTest {

    private static final Path MODEL = TestData.path("embedded/model");
    private static final Path DATA = TestData.path("golden/torchscript/encoder");

    @TempDir private Path directory;

    @Test
    void aDecoderLearnsToTellGoodReviewsFromBad() throws IOException {
        double accuracy =
                TextClassifier.runExample(
                        MODEL,
                        DATA.resolve("train.tsv"),
                        DATA.resolve("test.tsv"),
                        directory.resolve("adapter"));
        assertThat(accuracy).isGreaterThan(0.9);
        assertThat(directory.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
    }

    @Test
    void aLineWithoutALabelIsShown() throws IOException {
        Path train = Files.writeString(directory.resolve("train.tsv"), "good film\n");
        assertThatThrownBy(() -> TextClassifier.runExample(MODEL, train, train, directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("expected a label, a tab and a text, found: good film");
    }
}
