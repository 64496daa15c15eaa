package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.peft4j.tensorboard.EventFile;
import io.peft4j.tuning.TrainingReporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code train --report-to}, and the card of what it trained. */
final class ReportCommandTest {

    /** The reports of this build: with {@code -Dmlflow} there is one more. */
    private static final List<String> REPORTS =
            TrainingReporter.all().stream().map(TrainingReporter::name).toList();

    @TempDir private Path directory;
    private Path data;
    private Path output;

    @BeforeEach
    void writeData() throws IOException {
        data = GoldenRows.write(directory.resolve("rows.jsonl"));
        output = directory.resolve("adapter");
    }

    private CommandRun train(String... flags) {
        List<Object> words = new ArrayList<>(List.of("train", "--model", MODEL, "--data", data));
        words.addAll(List.of("--rank", "2", "--batch-size", "1", "--output", output));
        words.addAll(Arrays.asList(flags));
        return CommandRun.of(words.toArray());
    }

    private void trains(String... flags) {
        CommandRun run = train(flags);
        assertThat(run.code()).as(run.err()).isZero();
    }

    private static List<Path> eventFiles(Path runs) throws IOException {
        try (Stream<Path> files = Files.list(runs)) {
            return files.sorted().toList();
        }
    }

    @Test
    void tensorBoardsFilesAreInRunsAndAResumedRunAddsOne() throws IOException {
        String[] shared = {"--report-to", "tensorboard", "--save-steps", "2"};
        List<String> flags = new ArrayList<>(List.of(shared));
        flags.addAll(List.of("--scheduler", "constant", "--max-steps", "2"));
        trains(flags.toArray(String[]::new));
        assertThat(eventFiles(output.resolve("runs"))).hasSize(1);
        assertThat(Files.readString(output.resolve("metrics.jsonl"))).contains("\"step\":2");
        flags.set(flags.size() - 1, "3");
        flags.add("--resume");
        trains(flags.toArray(String[]::new));
        assertThat(eventFiles(output.resolve("runs"))).hasSize(2);
    }

    @Test
    void theLoggingDirectoryIsChosenAndOneOfAnotherRunRefusedBeforeTraining() throws IOException {
        Path runs = directory.resolve("runs/first");
        trains("--max-steps", "1", "--report-to", "tensorboard", "--logging-dir", runs.toString());
        assertThat(EventFile.anyIn(runs)).isTrue();
        assertThat(output.resolve("runs")).doesNotExist();
        output = directory.resolve("second");
        CommandRun again =
                train("--max-steps", "1", "--report-to", "tensorboard", "--logging-dir", "" + runs);
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err().lines()).hasSize(1);
        assertThat(again.err()).contains("--report-to tensorboard", "" + runs, "is one run");
        assertThat(output).doesNotExist();
    }

    @Test
    void withoutTheFlagNothingIsReported() {
        trains("--max-steps", "1");
        assertThat(output.resolve("runs")).doesNotExist();
        assertThat(output.resolve("metrics.jsonl")).isNotEmptyFile();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--report-to none,tensorboard | none cannot be given with others",
                "--report-to tensorboard,tensorboard | tensorboard",
                "--logging-dir runs | --logging-dir needs --report-to tensorboard",
            })
    void aWrongRequestIsOneLine(String flags, String message) {
        assertRefused(message.strip(), flags.strip().split(" "));
    }

    @Test
    void anUnknownReportIsAnsweredWithThoseOfThisBuild() {
        assertRefused(
                "must be of " + String.join(", ", REPORTS.stream().sorted().toList()) + ", none",
                "--report-to",
                "wandb");
    }

    @Test
    void mlflowIsRefusedInABuildWithoutIt() {
        assumeThat(REPORTS).doesNotContain("mlflow"); // with it there is nothing to refuse
        assertRefused("PEFT4J_MLFLOW=1", "--report-to", "mlflow");
    }

    private void assertRefused(String message, String... flags) {
        CommandRun run = train(flags);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).contains(message);
        assertThat(output).doesNotExist();
    }

    @Test
    void theAdapterHasACardAndAResumedRunKeepsAnEditedOne() throws IOException {
        String[] flags = {
            "--max-steps",
            "2",
            "--save-steps",
            "2",
            "--eval-data",
            data.toString(),
            "--method",
            "dora"
        };
        trains(flags);
        Path card = output.resolve("README.md");
        assertThat(card)
                .content()
                .startsWith("---\n")
                .contains("library_name: peft\n", "pipeline_tag: text-generation\n", "- dora\n")
                .contains("| optimizer steps | `2` |", "| held-out loss | `")
                .contains("| file | `rows.jsonl` |", "| rows | `2` |")
                .contains("fetchModel(\"" + MODEL + "\")");
        assertThat(output.resolve("checkpoints/step-000002/README.md")).doesNotExist();
        String edited = Files.readString(card).replace("# Adapter", "# My adapter");
        Files.writeString(card, edited);
        List<String> resumed = new ArrayList<>(List.of(flags));
        resumed.add("--resume");
        trains(resumed.toArray(String[]::new));
        assertThat(card).hasContent(edited);
        assertThat(CommandRun.of("inspect", output).code()).isZero();
    }
}
