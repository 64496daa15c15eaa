package io.peft4j.mlflow;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.creds.MlflowHostCreds;

/**
 * The files of a run. MLflow's Java client leaves them to MLflow's Python program; where the
 * tracking server itself takes them, as {@code mlflow server} does, they go there without.
 */
final class Artifacts {

    private static final String PROXY = "mlflow-artifacts";
    private static final String FOLDER = "adapter";

    private final MlflowClient client;
    private final MlflowHostCreds server;

    Artifacts(MlflowClient client, MlflowHostCreds server) {
        this.client = client;
        this.server = server;
    }

    /**
     * Uploads the files that lie in a directory itself, below it nothing: neither checkpoints nor
     * event files.
     */
    void upload(String runId, String artifactUri, Path directory) throws IOException {
        List<Path> files;
        try (Stream<Path> entries = Files.list(directory)) {
            files =
                    entries.filter(Files::isRegularFile)
                            .filter(file -> !file.endsWith(MlflowRun.ID_FILE))
                            .sorted()
                            .toList();
        }
        URI root = URI.create(artifactUri);
        if (!PROXY.equals(root.getScheme())) {
            for (Path file : files) {
                client.logArtifact(runId, file.toFile(), FOLDER);
            }
            return;
        }
        HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
        for (Path file : files) {
            put(http, root.getPath() + "/" + FOLDER + "/" + file.getFileName(), file);
        }
    }

    private void put(HttpClient http, String path, Path file) throws IOException {
        String encoded =
                Arrays.stream(path.split("/"))
                        .filter(part -> !part.isEmpty())
                        .map(Artifacts::encode)
                        .collect(Collectors.joining("/"));
        HttpRequest.Builder request =
                HttpRequest.newBuilder(
                                URI.create(
                                        server.getHost()
                                                + "/api/2.0/mlflow-artifacts/artifacts/"
                                                + encoded))
                        .timeout(Duration.ofMinutes(30))
                        .PUT(HttpRequest.BodyPublishers.ofFile(file));
        authorization().ifPresent(value -> request.header("Authorization", value));
        try {
            HttpResponse<String> response =
                    http.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() / 100 != 2) {
                throw new IOException(
                        file + ": the server answered " + response.statusCode() + " to the upload");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(file + ": the upload was interrupted", e);
        }
    }

    private static String encode(String part) {
        return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private Optional<String> authorization() {
        if (server.getToken() != null) {
            return Optional.of("Bearer " + server.getToken());
        }
        if (server.getUsername() == null || server.getPassword() == null) {
            return Optional.empty();
        }
        byte[] pair =
                (server.getUsername() + ":" + server.getPassword())
                        .getBytes(StandardCharsets.UTF_8);
        return Optional.of("Basic " + Base64.getEncoder().encodeToString(pair));
    }
}
