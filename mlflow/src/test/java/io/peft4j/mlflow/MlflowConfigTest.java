package io.peft4j.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MlflowConfigTest {

    private static final String URI = "http://localhost:5000";

    @Test
    void theVariablesOfMlflowAndTransformersAreRead() {
        MlflowConfig config =
                MlflowConfig.fromEnvironment(
                                Map.of(
                                        "MLFLOW_TRACKING_URI", URI,
                                        "MLFLOW_RUN_ID", "abc",
                                        "HF_MLFLOW_LOG_ARTIFACTS", "TRUE",
                                        "PEFT4J_MLFLOW_STRICT", "1"))
                        .build();
        assertThat(config.trackingUri()).isEqualTo(URI);
        assertThat(config.runId()).contains("abc");
        assertThat(config.runName()).isEmpty();
        assertThat(config.logArtifacts()).isTrue();
        assertThat(config.strict()).isTrue();
    }

    @Test
    void aMissingAddressIsNamed() {
        assertThatThrownBy(() -> MlflowConfig.fromEnvironment(Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("MLFLOW_TRACKING_URI")
                .hasMessageContaining("http://localhost:5000");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"mlruns", "file:///tmp/mlruns", "sqlite:///mlflow.db", "http://", "a b"})
    void whatOnlyPythonsMlflowCanWriteIsRefused(String uri) {
        assertThatThrownBy(() -> MlflowConfig.builder().setTrackingUri(uri))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected the address of a tracking server")
                .hasMessageEndingWith(uri);
    }

    @Test
    void malformedTagsAreShown() {
        Map<String, String> environment = Map.of("MLFLOW_TRACKING_URI", URI, "MLFLOW_TAGS", "[1]");
        assertThatThrownBy(() -> MlflowConfig.fromEnvironment(environment))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("MLFLOW_TAGS")
                .hasMessageContaining("[1]");
    }

    @Test
    void aPasswordInTheAddressIsRefusedAndNotShown() {
        assertThatThrownBy(
                        () ->
                                MlflowConfig.builder()
                                        .setTrackingUri("https://me:secret@host/mlflow"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageEndingWith("https://***@host/mlflow");
    }
}
