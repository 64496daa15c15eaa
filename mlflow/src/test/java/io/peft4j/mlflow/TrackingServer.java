package io.peft4j.mlflow;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;

/** Speaks the calls of MLflow's REST API that a report makes, on this machine, and keeps them. */
final class TrackingServer implements AutoCloseable {

    /** One request. */
    record Call(String method, String path, String query, String authorization, byte[] body) {

        JsonObject json() {
            return JsonParser.parseString(new String(body, StandardCharsets.UTF_8))
                    .getAsJsonObject();
        }
    }

    private final HttpServer server;
    private final List<Call> calls = Collections.synchronizedList(new ArrayList<>());

    /** Artifacts by their path. */
    final Map<String, byte[]> artifacts = new ConcurrentSkipListMap<>();

    /** The answer to every call, if it is not 200. */
    volatile int status = 200;

    /** The answer to the upload of an artifact. */
    volatile int artifactStatus = 200;

    volatile String knownExperiment = "";
    volatile String knownRun = "";

    TrackingServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    String uri() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        Call call =
                new Call(
                        exchange.getRequestMethod(),
                        exchange.getRequestURI().getPath().replaceFirst("^/api/2\\.0/", ""),
                        String.valueOf(exchange.getRequestURI().getQuery()),
                        String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")),
                        exchange.getRequestBody().readAllBytes());
        calls.add(call);
        if (status != 200) {
            send(exchange, status, "{\"error_code\": \"NOT_NOW\", \"message\": \"not now\"}");
        } else if (call.path.startsWith("mlflow-artifacts/artifacts/")) {
            artifacts.put(call.path.substring("mlflow-artifacts/artifacts/".length()), call.body);
            send(exchange, artifactStatus, "{}");
        } else {
            answer(exchange, call);
        }
    }

    private void answer(HttpExchange exchange, Call call) throws IOException {
        String run =
                "{\"run_id\": \"%s\", \"run_uuid\": \"%s\", \"experiment_id\": \"7\", \"artifact_uri\":"
                        + " \"mlflow-artifacts:/7/run1/artifacts\"}";
        String absent = "{\"error_code\": \"RESOURCE_DOES_NOT_EXIST\", \"message\": \"absent\"}";
        switch (call.path) {
            case "mlflow/experiments/get-by-name" -> {
                boolean known = call.query.endsWith("=" + knownExperiment);
                send(
                        exchange,
                        known ? 200 : 404,
                        known ? "{\"experiment\": {\"experiment_id\": \"7\"}}" : absent);
            }
            case "mlflow/experiments/create" -> send(exchange, 200, "{\"experiment_id\": \"7\"}");
            case "mlflow/runs/create" ->
                    send(
                            exchange,
                            200,
                            "{\"run\": {\"info\": " + run.formatted("run1", "run1") + "}}");
            case "mlflow/runs/get" -> {
                boolean known = call.query.contains("run_id=" + knownRun);
                String info = run.formatted(knownRun, knownRun);
                send(
                        exchange,
                        known ? 200 : 404,
                        known ? "{\"run\": {\"info\": " + info + "}}" : absent);
            }
            case "mlflow/runs/log-batch" -> send(exchange, 200, "{}");
            case "mlflow/runs/update" -> send(exchange, 200, "{\"run_info\": {}}");
            default -> send(exchange, 404, absent);
        }
    }

    private static void send(HttpExchange exchange, int status, String json) throws IOException {
        byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    List<Call> calls(String path) {
        synchronized (calls) {
            return calls.stream().filter(call -> call.path.equals(path)).toList();
        }
    }

    /** Everything of one kind in all batches: metrics, params or tags. */
    List<JsonObject> logged(String kind) {
        List<JsonObject> logged = new ArrayList<>();
        for (Call call : calls("mlflow/runs/log-batch")) {
            JsonArray batch = call.json().getAsJsonArray(kind);
            if (batch != null) {
                batch.forEach(element -> logged.add(element.getAsJsonObject()));
            }
        }
        return logged;
    }

    /** The texts of tags or params by key. */
    static Map<String, String> texts(Iterable<JsonObject> pairs) {
        Map<String, String> texts = new TreeMap<>();
        pairs.forEach(
                pair -> texts.put(pair.get("key").getAsString(), pair.get("value").getAsString()));
        return texts;
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
