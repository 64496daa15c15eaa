package io.peft4j.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import io.peft4j.adapters.Provenance;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingReporter;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MlflowReportTest {

    private static final TrainingResult DONE =
            new TrainingResult(
                    2,
                    2,
                    OptionalDouble.of(1),
                    OptionalDouble.empty(),
                    OptionalDouble.empty(),
                    OptionalInt.empty(),
                    OptionalDouble.empty(),
                    false,
                    20,
                    100);

    @TempDir Path directory;
    private final List<String> warnings = Collections.synchronizedList(new ArrayList<>());
    private TrackingServer server;

    @BeforeEach
    void start() throws IOException {
        server = new TrackingServer();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private MlflowConfig.Builder config() {
        return MlflowConfig.builder()
                .setTrackingUri(server.uri())
                .optDirectory(directory)
                .optInterval(Duration.ofMillis(20));
    }

    private MlflowReport report(MlflowConfig.Builder config) {
        return new MlflowReport(config.build(), warnings::add);
    }

    private static TrainingStep step(int number) {
        return new TrainingStep(number, 2, 1.0 / number, 0.5, 2, 10, 8, 100);
    }

    private static EvaluationResult evaluation() {
        return new EvaluationResult(List.of(new EvaluationResult.Row(3, 2)));
    }

    private void train(MlflowReport report) {
        try (report) {
            report.onSettings(Map.of("learning_rate", "0.005", "scheduler", "linear"));
            report.onStart(0, 2);
            report.onStep(step(1));
            report.onStep(step(2));
            report.onEvaluation(2, evaluation(), true);
            report.onFinish(DONE, directory);
        }
    }

    /** The numbers by name and step, and each once. */
    private Map<String, Double> numbers() {
        Map<String, Double> numbers = new TreeMap<>();
        for (JsonObject metric : server.logged("metrics")) {
            String key = metric.get("key").getAsString() + "@" + metric.get("step").getAsLong();
            assertThat(numbers.put(key, metric.get("value").getAsDouble())).as(key).isNull();
        }
        return numbers;
    }

    private List<String> statuses() {
        return server.calls("mlflow/runs/update").stream()
                .map(call -> call.json().get("status").getAsString())
                .toList();
    }

    @Test
    void aTrainingIsARunWithParametersNumbersAndAnEnd() {
        train(report(config().optRunName("night").optTag("team", "search")));
        JsonObject created = server.calls("mlflow/runs/create").get(0).json();
        assertThat(created.get("experiment_id").getAsString()).isEqualTo("0");
        List<JsonObject> tags = new ArrayList<>();
        created.getAsJsonArray("tags").forEach(tag -> tags.add(tag.getAsJsonObject()));
        assertThat(TrackingServer.texts(tags))
                .containsEntry("mlflow.source.name", "peft4j")
                .containsEntry("mlflow.runName", "night")
                .containsEntry("team", "search");
        assertThat(TrackingServer.texts(server.logged("params")))
                .isEqualTo(Map.of("learning_rate", "0.005", "scheduler", "linear"));
        assertThat(numbers())
                .containsEntry("loss@1", 1.0)
                .containsEntry("loss@2", 0.5)
                .containsEntry("learning_rate@1", 0.5)
                .containsEntry("grad_norm@2", 2.0)
                .containsEntry("eval_loss@2", 1.5)
                .hasSize(10);
        assertThat(statuses()).containsExactly("FINISHED");
        assertThat(warnings).isEmpty();
    }

    @Test
    void theExperimentIsFoundByNameOrMade() {
        train(report(config().optExperimentName("new")));
        assertThat(
                        server.calls("mlflow/experiments/create")
                                .get(0)
                                .json()
                                .get("name")
                                .getAsString())
                .isEqualTo("new");
        server.knownExperiment = "old";
        train(report(config().optExperimentName("old")));
        assertThat(server.calls("mlflow/experiments/create")).hasSize(1);
        assertThat(server.calls("mlflow/runs/create"))
                .extracting(call -> call.json().get("experiment_id").getAsString())
                .containsExactly("7", "7");
    }

    @Test
    void numbersAndParametersGoInBatchesThatAServerTakes() {
        Map<String, String> settings = new TreeMap<>();
        for (int i = 0; i < 150; i++) {
            settings.put("setting" + i, "v".repeat(600));
        }
        try (MlflowReport report = report(config().optInterval(Duration.ofMinutes(1)))) {
            report.onSettings(settings);
            report.onStart(0, 2);
            for (int i = 1; i <= 600; i++) {
                report.onStep(step(i));
            }
            report.onFinish(DONE, directory);
        }
        assertThat(server.calls("mlflow/runs/log-batch"))
                .allSatisfy(
                        call -> {
                            JsonObject json = call.json();
                            assertThat(size(json, "metrics")).isLessThanOrEqualTo(1000);
                            assertThat(size(json, "params")).isLessThanOrEqualTo(100);
                        })
                .hasSizeLessThan(10);
        assertThat(numbers()).hasSize(2400);
        assertThat(TrackingServer.texts(server.logged("params")))
                .hasSize(150)
                .allSatisfy((key, value) -> assertThat(value).hasSize(500));
    }

    private static int size(JsonObject json, String key) {
        return json.has(key) ? json.getAsJsonArray(key).size() : 0;
    }

    @Test
    void aServerThatIsAwayIsSaidOnceAndTrainingGoesOn() {
        server.close();
        long start = System.nanoTime();
        train(report(config()));
        assertThat(System.nanoTime() - start).isLessThan(20_000_000_000L);
        assertThat(warnings).hasSize(2);
        assertThat(warnings.get(0))
                .startsWith(
                        "cannot report to MLflow at " + server.uri() + ", and training goes on");
        assertThat(warnings.get(1)).startsWith("MLflow lacks 10 numbers");
    }

    @Test
    void whatAServerMissedComesWhenItIsThereAgain() throws InterruptedException {
        server.status = 404;
        try (MlflowReport report = report(config())) {
            report.onSettings(Map.of("learning_rate", "0.005"));
            report.onStart(0, 2);
            report.onStep(step(1));
            while (warnings.isEmpty()) {
                Thread.sleep(5);
            }
            report.onStep(step(2));
            server.status = 200;
            report.onFinish(DONE, directory);
        }
        assertThat(numbers()).containsKeys("loss@1", "loss@2").hasSize(8);
        assertThat(server.logged("params")).hasSize(1);
        assertThat(warnings)
                .hasSize(2)
                .last()
                .isEqualTo("MLflow at " + server.uri() + " is there again");
        assertThat(statuses()).containsExactly("FINISHED");
    }

    @Test
    void aStrictReportEndsTheTraining() {
        server.status = 403;
        try (MlflowReport report = report(config().optStrict(true))) {
            assertThatThrownBy(() -> report.onStart(0, 2))
                    .isInstanceOf(UncheckedIOException.class)
                    .hasMessageContaining("cannot report to MLflow at " + server.uri())
                    .hasMessageContaining("403");
        }
        assertThat(warnings).isEmpty();
    }

    @Test
    void aTrainingThatEndsOtherwiseIsFailedOrKilled() {
        try (MlflowReport report = report(config())) {
            report.onStart(0, 2);
            report.onStep(step(1));
        }
        try (MlflowReport report = report(config())) {
            report.onStart(0, 2);
            report.onStep(step(2));
            Thread.currentThread().interrupt();
        }
        assertThat(Thread.interrupted()).isTrue();
        assertThat(statuses()).containsExactly("FAILED", "KILLED");
        assertThat(numbers()).hasSize(8);
    }

    @Test
    void aResumedTrainingGoesOnWithItsRun() throws IOException {
        train(report(config()));
        assertThat(directory.resolve("mlflow_run_id")).hasContent("run1");
        server.knownRun = "run1";
        try (MlflowReport report = report(config())) {
            report.onSettings(Map.of("learning_rate", "0.005"));
            report.onStart(2, 3);
            report.onStep(step(3));
            report.onFinish(DONE, directory);
        }
        assertThat(server.calls("mlflow/runs/create")).hasSize(1);
        assertThat(statuses()).containsExactly("FINISHED", "RUNNING", "FINISHED");
        assertThat(numbers()).containsKeys("loss@1", "loss@2", "loss@3");
        Files.writeString(directory.resolve("mlflow_run_id"), "gone\n");
        try (MlflowReport report = report(config())) {
            report.onStart(3, 4);
        }
        assertThat(server.calls("mlflow/runs/create")).hasSize(2);
        assertThat(directory.resolve("mlflow_run_id")).hasContent("run1");
    }

    @Test
    void provenanceBecomesTagsAndTheFilesArtifactsIfAsked() throws IOException {
        new Provenance(
                        Map.of(
                                "base.name", "apple/OpenELM-270M",
                                "training.learning_rate", "0.005",
                                "training.steps", "2"))
                .write(directory);
        Files.writeString(directory.resolve("README.md"), "a card");
        Files.createDirectory(directory.resolve("checkpoints"));
        train(report(config()));
        assertThat(TrackingServer.texts(server.logged("tags")))
                .containsEntry("provenance.base.name", "apple/OpenELM-270M")
                .containsEntry("provenance.training.steps", "2")
                .doesNotContainKey("provenance.training.learning_rate"); // a parameter
        assertThat(server.artifacts).isEmpty();
        train(report(config().optCredentials("me", "secret").optLogArtifacts(true)));
        assertThat(server.calls("mlflow/runs/create"))
                .extracting(TrackingServer.Call::authorization)
                .containsExactly("null", "Basic bWU6c2VjcmV0");
        assertThat(server.calls("mlflow-artifacts/artifacts/7/run1/artifacts/adapter/README.md"))
                .extracting(TrackingServer.Call::authorization)
                .containsExactly("Basic bWU6c2VjcmV0");
        assertThat(server.artifacts.keySet())
                .containsExactly(
                        "7/run1/artifacts/adapter/README.md",
                        "7/run1/artifacts/adapter/adapter_provenance.json");
        assertThat(server.artifacts.get("7/run1/artifacts/adapter/README.md"))
                .isEqualTo("a card".getBytes(StandardCharsets.UTF_8));
        assertThat(warnings).isEmpty();
    }

    @Test
    void anUploadThatFailsIsSaidAndTheRunIsFinished() throws IOException {
        Files.writeString(directory.resolve("README.md"), "a card");
        server.artifactStatus = 507;
        train(report(config().optLogArtifacts(true)));
        assertThat(warnings).hasSize(1);
        assertThat(warnings.get(0)).contains("no files of this run", "README.md", "507");
        assertThat(statuses()).containsExactly("FINISHED");
    }

    @Test
    void theReporterIsFoundByNameAndReadsTheVariables() throws IOException {
        TrainingReporter reporter =
                TrainingReporter.all().stream()
                        .filter(found -> found.name().equals("mlflow"))
                        .findFirst()
                        .orElseThrow();
        TrainingReporter.Context context =
                new TrainingReporter.Context(
                        directory,
                        directory,
                        Map.of(
                                "MLFLOW_TRACKING_URI", server.uri() + "/",
                                "MLFLOW_TRACKING_TOKEN", "token",
                                "MLFLOW_EXPERIMENT_NAME", "tuning",
                                "MLFLOW_RUN_NAME", "night",
                                "MLFLOW_TAGS", "{\"ticket\": 12}"),
                        warnings::add);
        reporter.check(context, false);
        try (var report = reporter.open(context)) {
            report.onStart(0, 2);
            report.onFinish(DONE, directory);
        }
        JsonObject created = server.calls("mlflow/runs/create").get(0).json();
        assertThat(created.get("run_name").getAsString()).isEqualTo("night");
        assertThat(created.toString()).contains("\"ticket\"", "\"12\"");
        assertThat(server.calls("mlflow/runs/create").get(0).authorization())
                .isEqualTo("Bearer token");
    }
}
