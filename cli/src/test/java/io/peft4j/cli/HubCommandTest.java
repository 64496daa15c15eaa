package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands on repositories: processes, since environment variables choose the hub. */
final class HubCommandTest {

    private static final String COMMIT = "c".repeat(40);
    private static final Map<String, Path> REPOSITORIES =
            Map.of("org/base", GoldenRows.MODEL, "org/lora", TestData.path("golden/openelm/lora"));

    @TempDir private Path directory;
    private HttpServer server;

    @BeforeEach
    void startHub() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    @AfterEach
    void stopHub() {
        server.stop(0);
    }

    private void answer(HttpExchange exchange) throws IOException {
        String[] path = exchange.getRequestURI().getPath().split("/");
        boolean listing = path[1].equals("api");
        int owner = listing ? 3 : 1;
        Path files = REPOSITORIES.get(path[owner] + "/" + path[owner + 1]);
        if (files == null) {
            exchange.sendResponseHeaders(404, -1);
        } else if (listing) {
            JsonObject json = new JsonObject();
            json.addProperty("sha", COMMIT);
            JsonArray siblings = new JsonArray();
            try (var entries = Files.list(files)) {
                for (Path file : entries.toList()) {
                    JsonObject sibling = new JsonObject();
                    sibling.addProperty("rfilename", file.getFileName().toString());
                    siblings.add(sibling);
                }
            }
            json.add("siblings", siblings);
            send(exchange, json.toString().getBytes(StandardCharsets.UTF_8));
        } else {
            send(exchange, Files.readAllBytes(files.resolve(path[path.length - 1])));
        }
        exchange.close();
    }

    private static void send(HttpExchange exchange, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("ETag", '"' + sha256(body) + '"');
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
            exchange.sendResponseHeaders(200, -1);
        } else {
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    private static String sha256(byte[] bytes) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IOException(e);
        }
    }

    private CommandRun run(Map<String, String> variables, Object... args) throws Exception {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Peft4j.class.getName()));
        for (Object arg : args) {
            command.add(arg.toString());
        }
        Path out = directory.resolve("out.txt");
        Path err = directory.resolve("err.txt");
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .directory(directory.toFile())
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile());
        Map<String, String> environment = builder.environment();
        environment
                .keySet()
                .removeIf(name -> name.startsWith("HF_") || name.matches("(?i).*_proxy"));
        environment.put("HF_ENDPOINT", "http://127.0.0.1:" + server.getAddress().getPort());
        environment.put("HF_HOME", directory.resolve("hf").toString());
        environment.put("OMP_NUM_THREADS", "1");
        environment.put("OPT_OUT_TRACKING", "true");
        environment.putAll(variables);
        Process process = builder.start();
        assertThat(process.waitFor(90, TimeUnit.SECONDS)).isTrue();
        return new CommandRun(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    @Test
    void aRepositoryStandsWhereADirectoryDoes() throws Exception {
        Path data = GoldenRows.write(directory.resolve("rows.jsonl"));
        CommandRun trained =
                run(
                        Map.of(),
                        "train",
                        "--model",
                        "org/base",
                        "--data",
                        data,
                        "--max-steps",
                        "1",
                        "--output",
                        "trained");
        assertThat(trained.code()).as(trained.err()).isZero();
        assertThat(trained.err()).contains("fetched org/base: ");
        String config = Files.readString(directory.resolve("trained/adapter_config.json"));
        assertThat(JsonParser.parseString(config).getAsJsonObject().get("base_model_name_or_path"))
                .hasToString("\"org/base\"");
        CommandRun inspected = run(Map.of(), "inspect", "org/lora@main", "--json");
        assertThat(inspected.err()).startsWith("fetched org/lora: ");
        assertThat(inspected.json().get("kind").getAsString()).isEqualTo("adapter");
        server.stop(0); // what follows has the cache alone

        CommandRun offline =
                run(Map.of("HF_HUB_OFFLINE", "1"), eval(data, "org/base@" + COMMIT, "org/lora"));

        assertThat(offline.code()).as(offline.err()).isZero();
        assertThat(offline.err()).isEmpty();
        assertThat(offline.out())
                .isEqualTo(
                        CommandRun.of(eval(data, GoldenRows.MODEL, GoldenRows.adapter("lora")))
                                .out());
    }

    @Test
    void aDryRunFetchesNoWeights() throws Exception {
        Path data = GoldenRows.write(directory.resolve("rows.jsonl"));

        CommandRun run = run(Map.of(), "train", "--model", "org/base", "--data", data, "--dry-run");

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("peak");
        Path cached = directory.resolve("hf/hub/models--org--base");
        assertThat(cached.resolve("snapshots").resolve(COMMIT))
                .isDirectoryContaining("glob:**config.json")
                .isDirectoryNotContaining("glob:**.safetensors");
        assertThat(cached.resolve("refs/main")).as("as of a whole snapshot").doesNotExist();
    }

    private static Object[] eval(Path data, Object model, Object adapter) {
        return new Object[] {
            "eval", "--model", model, "--adapter", adapter, "--data", data, "--json"
        };
    }

    @Test
    void aProxyGetsItsPasswordWhichIsToldToNobodyElse() throws Exception {
        try (ServerSocket proxy = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            String address = "127.0.0.1:" + proxy.getLocalPort();
            CompletableFuture<String> asked =
                    CompletableFuture.supplyAsync(() -> refuseTunnel(proxy));

            CommandRun run =
                    run(
                            Map.of(
                                    "HF_ENDPOINT",
                                    "https://hub.example",
                                    "HTTPS_PROXY",
                                    "http://me:secret@" + address),
                            "inspect",
                            "org/base");

            assertThat(run.code()).isEqualTo(1);
            assertThat(run.err())
                    .contains("the proxy " + address + " of HTTPS_PROXY answered HTTP 403")
                    .doesNotContain("secret");
            assertThat(asked.get(10, TimeUnit.SECONDS))
                    .startsWith("CONNECT hub.example:443 HTTP/1.1\r\n")
                    .contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n");
        }
    }

    private static String refuseTunnel(ServerSocket proxy) {
        try (Socket client = proxy.accept()) {
            StringBuilder head = new StringBuilder();
            while (head.indexOf("\r\n\r\n") < 0) {
                head.append((char) client.getInputStream().read());
            }
            client.getOutputStream()
                    .write(
                            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
                                    .getBytes(StandardCharsets.ISO_8859_1));
            return head.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void whatTheHubLacksIsSaidInOneLine() throws Exception {
        CommandRun run = run(Map.of(), "inspect", "org/other");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .startsWith("peft4j: org/other: no directory here, and http://127.0.0.1:")
                .endsWith(" has no such model; check the name\n");
        assertThat(run.err().lines()).hasSize(1);
        CommandRun wrong = run(Map.of("HF_ENDPOINT", "hub"), "inspect", "org/other");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).startsWith("peft4j: HF_ENDPOINT: expected a URL");
    }
}
