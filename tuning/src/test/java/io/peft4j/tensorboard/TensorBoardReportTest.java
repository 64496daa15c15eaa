package io.peft4j.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.tensorboard.EventReader.Field;
import io.peft4j.tensorboard.EventReader.Point;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingReporter;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardReportTest {

    private static final Map<String, String> SETTINGS =
            Map.of(
                    "learning_rate", "0.005",
                    "shuffle", "true",
                    "scheduler", "linear",
                    "data_sha256", "abc");

    @TempDir Path directory;

    private static TrainingStep step(int number) {
        return new TrainingStep(number, 9, 1.0 / number, 0.5, 2, 10, 8, 100);
    }

    private static EvaluationResult evaluation(double sum) {
        return new EvaluationResult(List.of(new EvaluationResult.Row(sum, 2)));
    }

    private void train(int doneSteps, int... steps) {
        try (TensorBoardReport report = new TensorBoardReport(directory)) {
            report.onSettings(SETTINGS);
            report.onStart(doneSteps, 9);
            for (int step : steps) {
                report.onStep(step(step));
            }
        }
    }

    @Test
    void curvesHaveTransformersNames() throws IOException {
        try (TensorBoardReport report = new TensorBoardReport(directory)) {
            report.onStart(0, 9);
            report.onStep(step(1));
            report.onEvaluation(1, evaluation(3), true);
            assertThat(EventReader.scalars(directory)) // while it is open
                    .containsExactly(
                            new Point(1, "train/loss", 1),
                            new Point(1, "train/grad_norm", 2),
                            new Point(1, "train/learning_rate", 0.5),
                            new Point(1, "train/tokens_per_second", 100),
                            new Point(1, "eval/loss", 1.5),
                            new Point(1, "eval/perplexity", (float) Math.exp(1.5)));
        }
    }

    @Test
    void aResumedRunGoesOnInANewFileAndVoidsTheStepsItDoesAgain() throws IOException {
        train(0, 1, 2, 3, 4);
        train(2, 3, 4, 5);
        assertThat(EventReader.files(directory)).hasSize(2);
        assertThat(EventReader.scalars(directory))
                .filteredOn(point -> point.tag().equals("train/loss"))
                .extracting(Point::step)
                .containsExactly(1L, 2L, 3L, 4L, 5L);
    }

    @Test
    void settingsAreATextAndHyperParametersOnceInARun() throws IOException {
        train(0, 1);
        train(1, 2);
        assertThat(values("args/text_summary")).hasSize(1);
        List<Field> text = values("args/text_summary").get(0);
        assertThat(EventReader.field(EventReader.field(text, 8).message(), 8).text())
                .isEqualTo(
                        "|setting|value|\n|---|---|\n|data_sha256|abc|\n|learning_rate|0.005|\n"
                                + "|scheduler|linear|\n|shuffle|true|\n");
        assertThat(values("_hparams_/session_start_info")).hasSize(1);
        List<Field> start = plugin(values("_hparams_/session_start_info").get(0), 3);
        assertThat(start.stream().filter(f -> f.number() == 1).map(Field::message))
                .extracting(entry -> EventReader.field(entry, 1).text())
                .containsExactly("learning_rate", "scheduler", "shuffle");
        List<List<Field>> entries =
                start.stream().filter(f -> f.number() == 1).map(Field::message).toList();
        assertThat(EventReader.field(EventReader.field(entries.get(0), 2).message(), 2).real())
                .isEqualTo(0.005);
        assertThat(EventReader.field(EventReader.field(entries.get(1), 2).message(), 3).text())
                .isEqualTo("linear");
        assertThat(EventReader.field(EventReader.field(entries.get(2), 2).message(), 4).value())
                .isEqualTo(1);
    }

    @Test
    void onlyARunThatFinishedIsCalledASuccess() throws IOException {
        train(0, 1);
        assertThat(values("_hparams_/session_end_info")).isEmpty();
        try (TensorBoardReport report = new TensorBoardReport(directory)) {
            report.onStart(1, 9);
            report.onFinish(
                    new TrainingResult(
                            9,
                            9,
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalDouble.empty(),
                            OptionalInt.empty(),
                            OptionalDouble.empty(),
                            false,
                            0,
                            0),
                    directory);
        }
        assertThat(values("_hparams_/session_end_info")).hasSize(1);
        assertThat(
                        EventReader.field(plugin(values("_hparams_/session_end_info").get(0), 4), 1)
                                .value())
                .isEqualTo(1);
    }

    private List<List<Field>> values(String tag) throws IOException {
        List<List<Field>> found = new ArrayList<>();
        for (Path file : EventReader.files(directory)) {
            for (List<Field> event : EventReader.events(file)) {
                if (EventReader.has(event, 5)) {
                    List<Field> value =
                            EventReader.field(EventReader.field(event, 5).message(), 1).message();
                    if (EventReader.field(value, 1).text().equals(tag)) {
                        found.add(value);
                    }
                }
            }
        }
        return found;
    }

    /** The part of a plugin's message that is in a value's metadata. */
    private static List<Field> plugin(List<Field> value, int part) {
        List<Field> data = EventReader.field(EventReader.field(value, 9).message(), 1).message();
        assertThat(EventReader.field(data, 1).text()).isEqualTo("hparams");
        return EventReader.field(EventReader.field(data, 2).message(), part).message();
    }

    @Test
    void theReporterIsFoundByNameAndRefusesTheDirectoryOfAnotherRun() throws IOException {
        TrainingReporter reporter =
                TrainingReporter.all().stream()
                        .filter(found -> found.name().equals("tensorboard"))
                        .findFirst()
                        .orElseThrow();
        TrainingReporter.Context context =
                new TrainingReporter.Context(
                        directory, directory.resolve("runs"), Map.of(), message -> {});
        reporter.check(context, false);
        try (var report = reporter.open(context)) {
            report.onStart(0, 9);
        }
        assertThatThrownBy(() -> reporter.check(context, false))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("runs")
                .hasMessageContaining("one directory is one run");
        reporter.check(context, true);
    }

    @Test
    void aDirectoryThatCannotBeIsNamed() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "");
        TensorBoardReport report = new TensorBoardReport(file);
        assertThatThrownBy(() -> report.onStart(0, 9))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining(file + ": cannot write TensorBoard's events");
    }
}
